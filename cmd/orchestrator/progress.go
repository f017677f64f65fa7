package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// progress shows the progress of a load: a bar if standard error is a terminal, and messages.
type progress struct {
	out      io.Writer
	terminal bool
	warmup   time.Duration
	total    time.Duration

	done  int // at the last update
	at    time.Duration
	pace  float64 // sagas per second, since then
	drawn bool    // a bar is on the line
}

const (
	barWidth  = 30
	paceEvery = time.Second
)

func newProgress(out *streams, warmup, duration time.Duration) *progress {
	return &progress{out: out.err, terminal: isTerminal(out.err), warmup: warmup, total: warmup + duration}
}

func isTerminal(out io.Writer) bool {
	file, isFile := out.(interface{ Fd() uintptr })
	return isFile && term.IsTerminal(int(file.Fd()))
}

// update redraws the bar.
func (p *progress) update(done int, elapsed time.Duration) {
	if !p.terminal {
		return
	}
	if since := elapsed - p.at; since >= paceEvery {
		p.pace = float64(done-p.done) / since.Seconds()
		p.done, p.at = done, elapsed
	}
	phase := "measuring"
	switch {
	case elapsed < p.warmup:
		phase = "warming up"
	case elapsed >= p.total:
		phase = "finishing"
	}
	full := min(barWidth, int(float64(barWidth)*elapsed.Seconds()/p.total.Seconds()))
	bar := strings.Repeat("█", full) + strings.Repeat("░", barWidth-full)
	fmt.Fprintf(p.out, "\r\x1b[K%s %-10s %4.1f of %.0f s  %d sagas  %.0f/s", bar, phase, elapsed.Seconds(), p.total.Seconds(), done, p.pace)
	p.drawn = true
}

// say writes a message above the bar.
func (p *progress) say(line string) {
	p.clear()
	fmt.Fprintln(p.out, line)
}

// clear removes the bar.
func (p *progress) clear() {
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
}

// counts redraws the bar of a bulk action.
func (p *progress) counts(a resource.BulkAction) {
	decided := a.Matched - a.Remaining
	full := barWidth * decided / max(1, a.Matched)
	bar := strings.Repeat("█", full) + strings.Repeat("░", barWidth-full)
	fmt.Fprintf(p.out, "\r\x1b[K%s %d of %d  %d done  %d refused  %d failed", bar, decided, a.Matched, a.Done, a.Refused, a.Failed)
	p.drawn = true
}
