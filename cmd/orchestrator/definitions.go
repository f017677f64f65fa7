package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/definitions"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// definitionsCommand is `orchestrator definitions`.
type definitionsCommand struct {
	remote `embed:""`

	Put   definitionsPut   `cmd:"" help:"Register a definition. It becomes a new version unless it equals the latest."`
	List  definitionsList  `cmd:"" help:"List definitions."`
	Show  definitionsShow  `cmd:"" help:"Show a definition with explicit defaults."`
	Check definitionsCheck `cmd:"" help:"Check a definition without a server."`

	Disable definitionsDisable `cmd:"" help:"Refuse further starts of a definition. Sagas that run or are scheduled go on."`
	Enable  definitionsEnable  `cmd:"" help:"Accept starts of a disabled definition again."`
}

type definitionsPut struct {
	Name string `arg:"" help:"Name of the definition."`
	File string `arg:"" help:"File with the definition as JSON, or - for standard input."`
}

// Run registers the definition.
func (c *definitionsPut) Run(ctx context.Context, group *definitionsCommand, out *streams) error {
	body, err := file(c.File, out.in)
	if err != nil {
		return err
	}
	put, err := group.client().PutDefinition(ctx, c.Name, body)
	if err != nil {
		return err
	}
	return group.printer(out).show(put, func(table *tabwriter.Writer) {
		fmt.Fprintf(table, "definition %s, version %d\n", plain(put.Name), put.Version)
	})
}

type definitionsList struct {
	Limit  pageSize `default:"50" help:"Maximum number of items, up to 500."`
	Cursor string   `help:"Cursor of the page, from the previous one."`
}

// Run lists one page.
func (c *definitionsList) Run(ctx context.Context, group *definitionsCommand, out *streams) error {
	list, err := group.client().Definitions(ctx, client.Page{Limit: int(c.Limit), Cursor: c.Cursor})
	if err != nil {
		return err
	}
	p := group.printer(out)
	defer out.more(p, list.NextCursor)
	return p.show(list, func(table *tabwriter.Writer) {
		row(table, "NAME", "VERSION", "STEPS", "STARTS", "REGISTERED")
		for _, d := range list.Items {
			steps := "?"
			if definition, err := definitionOf(d); err == nil {
				steps = fmt.Sprint(len(definition.Steps))
			}
			row(table, d.Name, d.Version, steps, map[bool]string{true: "disabled", false: "enabled"}[d.Disabled], p.ago(d.CreatedAt))
		}
	})
}

// more shows how to get the next page.
func (s *streams) more(p printer, cursor resource.Text) {
	if cursor != "" && !p.json {
		fmt.Fprintf(s.err, "next page: --cursor %s\n", plain(string(cursor)))
	}
}

type definitionsShow struct {
	Name    string        `arg:"" help:"Name of the definition."`
	Version versionNumber `help:"Version; default: the latest."`
}

// Run shows one version.
func (c *definitionsShow) Run(ctx context.Context, group *definitionsCommand, out *streams) error {
	found, err := group.client().Definition(ctx, c.Name, int(c.Version))
	if err != nil {
		return err
	}
	p := group.printer(out)
	return p.show(found, func(table *tabwriter.Writer) {
		fmt.Fprintf(table, "definition %s, version %d, registered %s\n\n", plain(found.Name), found.Version, p.ago(found.CreatedAt))
		if found.Unreadable != "" {
			fmt.Fprintln(table, plain(string(found.Unreadable)))
			return
		}
		definition, err := definitionOf(found)
		if err != nil { // perhaps from a later version of this program
			row(table, string(found.Steps))
			return
		}
		showSteps(table, definition)
	})
}

func definitionOf(d resource.Definition) (*saga.Definition, error) {
	body, err := d.Body()
	if err != nil {
		return nil, err
	}
	return saga.ParseDefinition(d.Name, d.Version, body)
}

func showSteps(table *tabwriter.Writer, definition *saga.Definition) {
	row(table, "STEP", "KIND", "QUEUE", "COMMAND", "COMPENSATION", "AFTER", "TIMEOUT", "ATTEMPTS")
	for _, step := range definition.Steps {
		after := strings.Join(step.After, " ")
		row(table, step.Name, step.Kind, step.Queue, step.Command, step.Compensation, after, step.Timeout, step.Retry.MaxAttempts)
	}
}

type definitionsCheck struct {
	File string `arg:"" help:"File with the definition as JSON, or - for standard input."`
	Name string `default:"definition" help:"Name of the definition."`
}

// checked is the JSON result of a check.
type checked struct {
	Name     string      `json:"name"`
	Valid    bool        `json:"valid"`
	Steps    int         `json:"steps"`
	Queues   []string    `json:"queues"`
	Errors   saga.Faults `json:"errors"`
	Warnings saga.Faults `json:"warnings"`
}

// Run lists every fault.
func (c *definitionsCheck) Run(group *definitionsCommand, out *streams) error {
	body, err := file(c.File, out.in)
	if err != nil {
		return err
	}
	definition, err := saga.ParseDefinition(c.Name, 0, body)
	if len(body) > resource.MaxDefinitionBytes {
		err = saga.Faults{{Message: fmt.Sprintf("has %d bytes, the limit is %d", len(body), resource.MaxDefinitionBytes)}}
	}
	if err == nil {
		var compiler *definitions.Compiler
		if compiler, err = definitions.NewCompiler(); err == nil {
			err = definition.Compile(compiler)
		}
		if refusals := definition.Refusals(); err == nil && len(refusals) > 0 {
			err = refusals
		}
	}
	faults, found := errors.AsType[saga.Faults](err)
	if group.Output == "json" && (err == nil || found) {
		return c.showJSON(group, definition, faults, out)
	}
	if found {
		for _, fault := range faults {
			fmt.Fprintln(out.err, plain(fault.Pointer), plain(fault.Message))
		}
		return fmt.Errorf("%s has %s", c.File, counted(len(faults), "fault", "faults"))
	}
	if err != nil {
		return err
	}
	for _, warning := range definition.Warnings() {
		fmt.Fprintln(out.err, "warning:", plain(warning.Pointer), plain(warning.Message))
	}
	fmt.Fprintf(out.out, "%s is valid: %s, queues %v\n", plain(c.File), counted(len(definition.Steps), "step", "steps"), definition.Queues())
	return nil
}

// showJSON writes the result as JSON, and returns an error if there are faults.
func (c *definitionsCheck) showJSON(group *definitionsCommand, definition *saga.Definition, faults saga.Faults, out *streams) error {
	result := checked{Name: c.Name, Valid: len(faults) == 0, Queues: []string{}, Errors: append(saga.Faults{}, faults...), Warnings: saga.Faults{}}
	if definition != nil && result.Valid {
		result.Steps, result.Queues = len(definition.Steps), definition.Queues()
		result.Warnings = append(result.Warnings, definition.Warnings()...)
	}
	if err := group.printer(out).show(result, nil); err != nil {
		return err
	}
	if !result.Valid {
		return fmt.Errorf("%s has %s", c.File, counted(len(faults), "fault", "faults"))
	}
	return nil
}

type definitionsDisable struct {
	Name string `arg:"" help:"Name of the definition."`
}

// Run disables.
func (c *definitionsDisable) Run(ctx context.Context, group *definitionsCommand, out *streams) error {
	return group.setDisabled(ctx, out, c.Name, true)
}

type definitionsEnable struct {
	Name string `arg:"" help:"Name of the definition."`
}

// Run enables.
func (c *definitionsEnable) Run(ctx context.Context, group *definitionsCommand, out *streams) error {
	return group.setDisabled(ctx, out, c.Name, false)
}

func (g *definitionsCommand) setDisabled(ctx context.Context, out *streams, name string, disabled bool) error {
	after, err := g.client().SetDisabled(ctx, name, disabled)
	if err != nil {
		return err
	}
	return g.printer(out).show(after, func(table *tabwriter.Writer) {
		fmt.Fprintf(table, "definition %s is %s\n", plain(after.Name), map[bool]string{true: "disabled", false: "enabled"}[after.Disabled])
	})
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
