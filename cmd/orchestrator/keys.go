package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/store"
)

// keysCommand is `orchestrator keys`. With a database it does not call the API, so that the first key can be created.
type keysCommand struct {
	remote          `embed:""`
	DatabaseURL     string `env:"DATABASE_URL" help:"Access this database directly instead of an orchestrator. With --server the variable is ignored."`
	DatabaseURLFile string `env:"DATABASE_URL_FILE" type:"path" placeholder:"FILE" help:"File that has the URL of the database."`

	Create keysCreate `cmd:"" help:"Create a key and show its secret once."`
	List   keysList   `cmd:"" help:"List keys."`
	Rotate keysRotate `cmd:"" help:"Replace the secret of a key and show the new one once."`
	Revoke keysRevoke `cmd:"" help:"Revoke a key. Every replica refuses it within five seconds."`
}

// AfterApply finds out whether the database or an orchestrator is meant.
func (c *keysCommand) AfterApply(parsed *kong.Context) error {
	if given(parsed, "server") && !given(parsed, "database-url") && !given(parsed, "database-url-file") {
		c.DatabaseURL, c.DatabaseURLFile = "", ""
	}
	return fromFile("database-url", &c.DatabaseURL, &c.DatabaseURLFile)
}

// given reports whether the command line has the flag; the environment may have it otherwise.
func given(parsed *kong.Context, flag string) bool {
	return slices.ContainsFunc(parsed.Path, func(at *kong.Path) bool { return at.Flag != nil && !at.Resolved && at.Flag.Name == flag })
}

type keysCreate struct {
	Role string `required:"" enum:"viewer,operator,admin" help:"viewer reads, operator starts and repairs, admin does everything."`
	Name string `required:"" help:"Name of the holder, which histories show as the actor."`

	Expires     string   `placeholder:"DURATION" help:"Duration after which the key is invalid, such as 12h or 90d. By default it does not expire."`
	Definitions []string `placeholder:"NAME,..." help:"The only definitions that the key covers: to its holder, others do not exist. By default it covers all."`
}

// Run creates a key. Standard output has only the secret, for scripts.
func (c *keysCreate) Run(ctx context.Context, group *keysCommand, out *streams) error {
	created, err := c.create(ctx, group)
	if err != nil {
		return err
	}
	p := group.printer(out)
	if len(created.UnknownDefinitions) > 0 {
		fmt.Fprintf(out.err, "warning: not registered, so far at least: %s\n", plain(strings.Join(created.UnknownDefinitions, ", ")))
	}
	if !p.json {
		fmt.Fprintf(out.err, "key %s for %s, role %s; its secret cannot be shown again:\n", plain(created.ID), plain(created.Name), plain(created.Role))
	}
	return p.show(created, func(table *tabwriter.Writer) { fmt.Fprintln(table, plain(created.Secret)) })
}

func (c *keysCreate) create(ctx context.Context, group *keysCommand) (resource.Key, error) {
	wanted := resource.NewKey{Name: c.Name, Role: c.Role, ExpiresIn: c.Expires, Definitions: c.Definitions}
	if group.DatabaseURL == "" {
		return group.client().CreateKey(ctx, wanted)
	}
	key, secret, faults := api.NewKey(wanted, time.Now())
	if len(faults) > 0 {
		return resource.Key{}, usageError{fmt.Errorf("%s %s", strings.TrimPrefix(faults[0].Pointer, "/"), faults[0].Message)}
	}
	created := api.ShowKey(key)
	created.Secret = secret
	err := group.onDatabase(ctx, func(kept *store.Store) error {
		if err := kept.CreateKey(ctx, key); err != nil {
			return err
		}
		created.UnknownDefinitions, _ = api.UnknownDefinitions(ctx, kept, key.Scope) // the key is there: its secret must be shown
		return nil
	})
	return created, err
}

// onDatabase calls work with the open database.
func (c *keysCommand) onDatabase(ctx context.Context, work func(*store.Store) error) error {
	kept, err := store.Open(ctx, store.Config{DatabaseURL: c.DatabaseURL})
	if err != nil {
		return err
	}
	defer kept.Close()
	if err := kept.CheckSchema(ctx); err != nil {
		return err
	}
	return work(kept)
}

type keysList struct{}

// Run lists keys.
func (keysList) Run(ctx context.Context, group *keysCommand, out *streams) error {
	list, err := group.list(ctx)
	if err != nil {
		return err
	}
	p := group.printer(out)
	return p.show(list, func(table *tabwriter.Writer) {
		row(table, "ID", "NAME", "ROLE", "DEFINITIONS", "CREATED", "LAST USED", "EXPIRES", "REVOKED")
		for _, key := range list.Items {
			definitions := "all"
			if key.Definitions != nil {
				definitions = strings.Join(key.Definitions, ",")
			}
			expires := "never"
			if key.ExpiresAt != nil {
				expires = key.ExpiresAt.UTC().Format(time.RFC3339)
			}
			row(table, key.ID, key.Name, key.Role, definitions, p.ago(key.CreatedAt), p.agoOf(key.LastUsedAt), expires, p.agoOf(key.RevokedAt))
		}
	})
}

func (c *keysCommand) list(ctx context.Context) (resource.List[resource.Key], error) {
	if c.DatabaseURL == "" {
		return c.client().Keys(ctx)
	}
	list := resource.List[resource.Key]{Items: []resource.Key{}}
	err := c.onDatabase(ctx, func(kept *store.Store) error {
		keys, err := kept.Keys(ctx)
		for _, key := range keys {
			list.Items = append(list.Items, api.ShowKey(key))
		}
		return err
	})
	return list, err // not in the line of the call, which changes the list: Go does not specify the order
}

type keysRotate struct {
	ID    string `arg:"" help:"Id of the key."`
	Grace string `default:"0" help:"Duration for which the secret before stays valid, such as 1h, at most 30d."`
}

// Run rotates a key. Standard output has only the new secret, for scripts.
func (c *keysRotate) Run(ctx context.Context, group *keysCommand, out *streams) error {
	rotated, err := c.rotate(ctx, group)
	if err != nil {
		return err
	}
	p := group.printer(out)
	if !p.json {
		fmt.Fprintf(out.err, "key %s for %s has a new secret, which cannot be shown again:\n", plain(rotated.ID), plain(rotated.Name))
	}
	return p.show(rotated, func(table *tabwriter.Writer) { fmt.Fprintln(table, plain(rotated.Secret)) })
}

func (c *keysRotate) rotate(ctx context.Context, group *keysCommand) (rotated resource.Key, err error) {
	grace, ok := api.ParseGrace(c.Grace)
	if !ok {
		return resource.Key{}, usageError{errors.New("--grace must be 0, or a duration from 1s to 30d such as 1h")}
	}
	if group.DatabaseURL == "" {
		return group.client().RotateKey(ctx, c.ID, c.Grace)
	}
	err = group.onDatabase(ctx, func(kept *store.Store) error {
		key, secret, err := api.RotateKey(ctx, kept, c.ID, grace)
		rotated = api.ShowKey(key)
		rotated.Secret = secret
		return err
	})
	return rotated, err
}

type keysRevoke struct {
	ID string `arg:"" help:"Id of the key."`
}

// Run revokes a key.
func (c *keysRevoke) Run(ctx context.Context, group *keysCommand, out *streams) error {
	if err := c.revoke(ctx, group); err != nil {
		return err
	}
	p := group.printer(out)
	if !p.json { // standard output stays empty, as it always was
		fmt.Fprintln(out.err, "revoked", plain(c.ID))
		return nil
	}
	return p.show(map[string]string{"revoked": c.ID}, nil)
}

func (c *keysRevoke) revoke(ctx context.Context, group *keysCommand) error {
	if group.DatabaseURL == "" {
		return group.client().RevokeKey(ctx, c.ID)
	}
	return group.onDatabase(ctx, func(kept *store.Store) error { return kept.RevokeKey(ctx, c.ID) })
}
