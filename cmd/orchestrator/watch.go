package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
)

const redrawEvery = 500 * time.Millisecond

type sagasWatch struct {
	ID string `arg:"" help:"Id of the saga."`
}

// Run draws the saga as a live timeline on a terminal. Elsewhere it writes a line for each state, or a JSON document.
func (c *sagasWatch) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	if isTerminal(out.out) && group.Output == "table" && os.Getenv("TERM") != "dumb" {
		view := &liveView{
			client: client.New(client.Config{Server: string(group.Server), Key: group.Key, HTTP: group.http, Reconnect: patience}),
			id:     c.ID, out: out.out,
			size: func() (int, int) { return terminalSize(out.out) }, colour: os.Getenv("NO_COLOR") == "",
		}
		err := view.run(ctx)
		if ctx.Err() != nil { // interrupting it is how an operator leaves a saga that has not ended
			return nil
		}
		return err
	}
	for s, err := range group.client().Watch(ctx, c.ID) {
		if err != nil {
			return err
		}
		p := group.printer(out)
		err := p.show(s, func(table *tabwriter.Writer) {
			steps := make([]string, len(s.Steps))
			for i, step := range s.Steps {
				steps[i] = fmt.Sprintf("%s=%s", step.Name, step.Status)
			}
			row(table, s.UpdatedAt.Local().Format(time.TimeOnly), s.Revision, s.Status, strings.Join(steps, " "))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// terminalSize returns the columns and lines of a terminal, 80 and 24 if it does not know them.
func terminalSize(out io.Writer) (width, height int) {
	if file, isFile := out.(interface{ Fd() uintptr }); isFile {
		if width, height, err := term.GetSize(int(file.Fd())); err == nil && width > 0 && height > 0 {
			return width, height
		}
	}
	return 80, 24
}

// liveView redraws a saga in place until it ends.
type liveView struct {
	client *client.Client
	id     string
	out    io.Writer
	size   func() (width, height int)
	colour bool

	drawn int // lines of the last picture
}

type watched struct {
	saga resource.Saga
	err  error
}

func (v *liveView) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	states := make(chan watched)
	go func() { // ends with the saga, with an error or with ctx
		defer close(states)
		for s, err := range v.client.Watch(ctx, v.id) {
			select {
			case states <- watched{s, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	ticker := time.NewTicker(redrawEvery)
	defer ticker.Stop()
	now := picture{colour: v.colour}
	for {
		select {
		case state, more := <-states:
			if !more {
				return ctx.Err()
			}
			if state.err != nil {
				return state.err
			}
			if err := v.look(ctx, &now, state.saga); err != nil {
				return err
			}
		case <-ticker.C:
			if now.saga.ID == "" {
				continue
			}
		}
		if err := v.draw(now); err != nil {
			return err
		}
	}
}

// look reads what the picture shows besides the saga. The orchestrator may restart meanwhile.
func (v *liveView) look(ctx context.Context, into *picture, s resource.Saga) error {
	into.saga, into.why = s, ""
	return patiently(ctx, patience, func() (err error) {
		if into.history, err = v.client.History(ctx, v.id); err != nil || s.Status.Terminal() {
			return err
		}
		why, err := v.client.Why(ctx, v.id)
		into.why = why.Message
		return err
	})
}

// draw replaces the last picture.
func (v *liveView) draw(p picture) error {
	p.now = time.Now()
	lines := p.lines(v.size())
	var text strings.Builder
	if v.drawn > 0 {
		fmt.Fprintf(&text, "\x1b[%dA", v.drawn)
	}
	for _, line := range lines {
		text.WriteString("\r\x1b[K" + line + "\n")
	}
	text.WriteString("\x1b[J") // a shorter picture than the last one
	v.drawn = len(lines)
	_, err := io.WriteString(v.out, text.String())
	return err
}
