package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
)

// doctorCommand is `orchestrator doctor`. It leaves nothing behind.
type doctorCommand struct {
	databaseFlags `embed:""`
	brokerFlags   `embed:""`
	AMQPPrefix    string `name:"amqp-prefix" default:"saga" env:"AMQP_PREFIX" help:"Prefix of all names on RabbitMQ."`
	QueueType     string `default:"quorum" enum:"quorum,classic" env:"ORCHESTRATOR_QUEUE_TYPE" help:"Type of the queues, as serve has it."`
	Output        string `default:"table" enum:"table,json" help:"table or json."`
}

// finding is the result of one check.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status"` // ok, warn or fail
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"`
}

const (
	doctorPatience = 10 * time.Second
	// maxSkew is a difference of clocks that shows in times of lists and logs.
	maxSkew = 2 * time.Second
	// oldCommand is the age at which a command in the outbox shows that publishing is behind.
	oldCommand = time.Minute
)

// diagnosis collects findings.
type diagnosis struct {
	findings     []finding
	installation string   // id of the database's; empty: unknown
	queues       []string // of the stored definitions
	steps        saga.Faults
}

func (d *diagnosis) add(check, status, advice, found string, arguments ...any) {
	f := finding{Check: check, Status: status, Found: fmt.Sprintf(found, arguments...)}
	if status != "ok" {
		f.Advice = advice
	}
	d.findings = append(d.findings, f)
}

// statusIf returns bad if the condition holds, else ok.
func statusIf(condition bool, bad string) string {
	if condition {
		return bad
	}
	return "ok"
}

// AfterApply reads secrets from files.
func (c *doctorCommand) AfterApply() error { return readFiles(&c.databaseFlags, &c.brokerFlags) }

// Run checks the database and the broker, and fails if one check does.
func (c *doctorCommand) Run(ctx context.Context, out *streams) error {
	if c.DatabaseURL == "" || c.AMQPURL == "" {
		return usage("--database-url and --amqp-url must be set, or files that have them")
	}
	d := &diagnosis{}
	d.database(ctx, c.DatabaseURL)
	d.broker(ctx, rabbit.Config{URL: c.AMQPURL, Prefix: c.AMQPPrefix, QueueType: rabbit.QueueType(c.QueueType)})
	failed := 0
	for _, f := range d.findings {
		if f.Status == "fail" {
			failed++
		}
	}
	p := printer{out: out.out, json: c.Output == "json", now: time.Now()}
	err := p.show(map[string]any{"findings": d.findings}, func(table *tabwriter.Writer) {
		row(table, "CHECK", "STATUS", "FOUND", "WHAT TO DO")
		for _, f := range d.findings {
			row(table, f.Check, f.Status, f.Found, f.Advice)
		}
	})
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d checks failed", failed, len(d.findings))
	}
	return err
}

// database checks Postgres, the schema, and what the tables hold.
func (d *diagnosis) database(ctx context.Context, url string) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	if err := store.CheckDatabaseURL(url); err != nil {
		d.add("database", "fail", "correct the setting", "%s", err)
		return
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		d.add("database", "fail", "check --database-url, and that Postgres runs and accepts this user", "cannot connect: %s", withoutURL(err))
		return
	}
	defer conn.Close(ctx)
	d.server(ctx, conn)
	d.capacity(ctx, conn)
	kept, err := store.Open(ctx, store.Config{DatabaseURL: url})
	if err != nil {
		d.add("connections", "fail", "check the rights and limits of this user", "%s", withoutURL(err))
		return
	}
	defer kept.Close()
	err = kept.CheckSchema(ctx)
	d.add("schema", statusIf(err != nil, "fail"), "run orchestrator migrate up", "%s", orUpToDate(err))
	if err != nil {
		return
	}
	if d.installation, err = kept.Installation(ctx); err != nil {
		d.add("installation", "fail", "see the log of Postgres", "%s", withoutURL(err))
	}
	d.rights(ctx, conn)
	d.backlog(ctx, kept)
	d.definitions(ctx, kept)
}

// server checks the settings of Postgres.
func (d *diagnosis) server(ctx context.Context, conn *pgx.Conn) {
	var version, commit string
	var recovering, readOnly bool
	var now time.Time
	before := time.Now()
	err := conn.QueryRow(ctx, `select current_setting('server_version'), current_setting('synchronous_commit'), pg_is_in_recovery(),
		current_setting('default_transaction_read_only') = 'on', clock_timestamp()`).Scan(&version, &commit, &recovering, &readOnly, &now)
	if err != nil {
		d.add("database", "fail", "see the log of Postgres", "%s", withoutURL(err))
		return
	}
	d.add("database", statusIf(recovering || readOnly, "fail"), "connect to the primary, and allow this user to write",
		"Postgres %s, %s", version, map[bool]string{true: "read-only", false: "writable"}[recovering || readOnly])
	d.add("durability", statusIf(commit == "off" || commit == "local", "warn"),
		"set synchronous_commit to on: acknowledged sagas can be lost in a crash", "synchronous_commit is %s", commit)
	half := time.Since(before) / 2
	skew := now.Sub(before.Add(half)).Abs()
	d.add("clocks", statusIf(skew > maxSkew, "warn"), "synchronize the clocks: times in lists and logs differ from those of this machine",
		"the clock of Postgres differs by about %s", skew.Round(time.Millisecond))
}

// backlog checks what waits for an operator or for the broker.
func (d *diagnosis) backlog(ctx context.Context, kept *store.Store) {
	backlog, err := kept.Backlog(ctx)
	if err != nil {
		d.add("outbox", "fail", "see the log of Postgres", "%s", withoutURL(err))
		return
	}
	age := time.Duration(0)
	if !backlog.OutboxOldest.IsZero() {
		age = time.Since(backlog.OutboxOldest)
	}
	d.add("outbox", statusIf(age > oldCommand, "warn"), "check that a replica serves and that the broker accepts messages; orchestrator queues list shows each queue",
		"%d commands wait, the oldest for %s", backlog.OutboxPending, rough(age))
	if controls, err := kept.QueueControls(ctx); err == nil {
		for _, c := range controls {
			d.add("settings of queue "+c.Queue, "ok", "", "%s", settingsText(c))
		}
	}
	letters := int64(0)
	for _, count := range backlog.DeadLetters {
		letters += count
	}
	d.add("dead letters", statusIf(letters > 0, "warn"), "look at them with orchestrator dead-letters list, then redrive or discard them", "%d", letters)
	groups, err := kept.Groups(ctx, nil, "")
	if err == nil {
		d.add("sagas", statusIf(groups.Sagas > 0, "warn"), "orchestrator stuck --groups shows what is wrong", "%d need an operator", groups.Sagas)
	}
}

// definitions reads the queues of the stored definitions, and what of them may surprise.
func (d *diagnosis) definitions(ctx context.Context, kept *store.Store) {
	broken := 0
	for page := (record.Page{Limit: 100}); ; {
		found, next, err := kept.Definitions(ctx, page)
		if err != nil {
			d.add("definitions", "fail", "see the log of Postgres", "%s", withoutURL(err))
			return
		}
		for _, one := range found {
			if one.Unreadable != nil {
				broken++
				continue
			}
			for _, warning := range one.Warnings() {
				warning.Pointer = one.Name + warning.Pointer
				d.steps = append(d.steps, warning)
			}
		}
		if page.After = next; next == "" {
			break
		}
	}
	queues, err := kept.Queues(ctx)
	if err == nil {
		d.queues = queues
	}
	d.add("definitions", statusIf(broken > 0, "fail"), "orchestrator definitions list names them; register them again", "%d cannot be read", broken)
}

// settingsText describes what an operator has set for a queue.
func settingsText(c record.QueueControl) string {
	var set []string
	if c.Paused {
		set = append(set, "paused since "+c.Since.Format(time.RFC3339))
	}
	if c.MaxOut > 0 {
		set = append(set, fmt.Sprintf("at most %d commands out", c.MaxOut))
	}
	if c.Rate > 0 {
		set = append(set, fmt.Sprintf("at most %v commands a second", c.Rate))
	}
	if c.Waiting {
		set = append(set, "commands are held back")
	}
	return strings.Join(set, ", ")
}

func orUpToDate(err error) string {
	if err == nil {
		return "up to date"
	}
	return err.Error()
}

// withoutURL returns an error's text without the URL, which may hold a password.
func withoutURL(err error) string {
	text := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer within " + doctorPatience.String()
	}
	return strings.Join(strings.Fields(text), " ")
}
