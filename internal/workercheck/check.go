package workercheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Options describe the worker to check.
type Options struct {
	URL          string          // of RabbitMQ
	Prefix       string          // of all names on RabbitMQ
	Queue        string          // the worker queue, as definitions name it
	Command      string          // name of the command
	Compensation string          // name of its compensation; empty: the step has none
	Data         json.RawMessage // the saga's data in all commands: an object that the command accepts
	Timeout      time.Duration   // for each reply
}

// MaxTimeout limits Options.Timeout.
const MaxTimeout = 10 * time.Minute

// Grade is the result of one point.
type Grade string

// The grades. Only Fail makes the check fail.
const (
	Pass    Grade = "pass"
	Warn    Grade = "warn"    // it works, but a fault of broker or worker can cost time or a reply
	Fail    Grade = "fail"    // it breaks sagas
	Unclear Grade = "unclear" // it could not be tried or seen
)

// Verdict is the result of one point.
type Verdict struct {
	Point  string `json:"point"`
	Grade  Grade  `json:"verdict"`
	Seen   string `json:"seen"`
	Advice string `json:"advice,omitempty"`
}

// Report is the result of a check.
type Report struct {
	Sagas    []string  `json:"sagas"` // ids that the check used; none of these sagas exists
	Verdicts []Verdict `json:"verdicts"`
}

// Count returns the number of verdicts with a grade.
func (r Report) Count(grade Grade) int {
	count := 0
	for _, v := range r.Verdicts {
		if v.Grade == grade {
			count++
		}
	}
	return count
}

// Validate reports the first option that cannot be right.
func (o Options) Validate() error {
	if o.Queue == "" || o.Command == "" {
		return errors.New("queue and command: must not be empty")
	}
	if o.Timeout <= 0 || o.Timeout > MaxTimeout {
		return fmt.Errorf("timeout: %s, want more than 0 and at most %s", o.Timeout, MaxTimeout)
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(o.Data, &object) != nil || object == nil {
		return errors.New("data: want a JSON object")
	}
	if err := saga.CheckJSON(o.Data, saga.DefaultJSONLimits()); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	if len(o.Data) > saga.MaxDataBytes {
		return fmt.Errorf("data: %d bytes, the limit is %d", len(o.Data), saga.MaxDataBytes)
	}
	return nil
}

// Run checks a worker. An error means that it could not be tried: the broker or the queue is missing.
func Run(ctx context.Context, o Options) (Report, error) {
	if err := o.Validate(); err != nil {
		return Report{}, err
	}
	talk, err := connect(ctx, o)
	if err != nil {
		return Report{}, err
	}
	defer talk.close()
	c := &check{conversation: talk}
	for _, p := range c.points() {
		if err := ctx.Err(); err != nil {
			return c.report, err
		}
		if talk.lost != nil {
			return c.report, fmt.Errorf("the connection to RabbitMQ was lost: %w", talk.lost)
		}
		c.judge(ctx, p)
	}
	c.cleanUp(ctx)
	c.report.Sagas = c.used
	return c.report, nil
}

// point is one thing to try.
type point struct {
	name        string
	try         func(ctx context.Context) Verdict
	needsReply  bool // it makes no sense for a worker that does not reply
	compensates bool // it needs a compensation
}

// check is the state of a running check.
type check struct {
	*conversation
	report  Report
	used    []string // ids of sagas
	main    string   // the saga of the points that share one
	first   *answer  // the reply to its first command; nil: none that is valid
	effects map[string]json.RawMessage
	late    int // effects after their compensation, which the check cannot compensate
}

func (c *check) points() []point {
	c.effects = make(map[string]json.RawMessage)
	c.main = c.newSaga()
	return []point{
		{name: "replies", try: c.replies},
		{name: "properties of the reply", try: c.properties, needsReply: true},
		{name: "duplicate", try: c.duplicate, needsReply: true},
		{name: "another attempt", try: c.anotherAttempt, needsReply: true},
		{name: "compensation", try: c.compensation, needsReply: true, compensates: true},
		{name: "late redelivery", try: c.lateRedelivery, needsReply: true, compensates: true},
		{name: "compensation first", try: c.compensationFirst, needsReply: true, compensates: true},
		{name: "stale deadline", try: c.staleDeadline, needsReply: true},
		{name: "poison", try: c.poison, needsReply: true},
		{name: "two at once", try: c.twoAtOnce, needsReply: true},
		{name: "reply before acknowledgement", try: c.replyBeforeAcknowledgement, needsReply: true},
	}
}

// judge tries a point, if that makes sense.
func (c *check) judge(ctx context.Context, p point) {
	var v Verdict
	switch {
	case p.compensates && c.Compensation == "":
		v = Verdict{Grade: Unclear, Seen: "not tried: no compensation was given", Advice: "give --compensation if the step has one"}
	case p.needsReply && c.first == nil:
		v = Verdict{Grade: Unclear, Seen: "not tried: the worker does not reply as it must", Advice: "correct that first"}
	case !c.consumed(ctx):
		v = Verdict{Grade: Unclear, Seen: "not tried: no worker consumes the queue", Advice: "start the worker, and see why it ended"}
		if !p.needsReply {
			v.Grade = Fail
		}
	default:
		v = p.try(ctx)
	}
	v.Point = p.name
	c.report.Verdicts = append(c.report.Verdicts, v)
}

func (c *check) newSaga() string {
	id := ulid.Make().String()
	c.used = append(c.used, id)
	return id
}

// noteEffect remembers a command that took effect, or may have, so that cleanUp compensates it.
func (c *check) noteEffect(id string, a *answer) {
	if !a.failed() {
		c.effects[id] = a.reply.Output
	}
}

// cleanUp compensates what the check has made the worker do.
func (c *check) cleanUp(ctx context.Context) {
	left := len(c.effects) + c.late
	for id, output := range c.effects {
		if c.Compensation == "" || c.first == nil || !c.consumed(ctx) {
			break
		}
		if a := c.ask(ctx, c.compensate(id, output)); a.succeeded() {
			left--
		}
	}
	if left > 0 {
		c.report.Verdicts = append(c.report.Verdicts, Verdict{
			Point: "clean-up", Grade: Warn, Seen: fmt.Sprintf("effects of the check may remain, of %d commands", left),
			Advice: "the JSON output has the ids of its sagas",
		})
	}
}
