package relay_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/relay"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// table is an outbox in virtual time.
type table struct {
	mu       sync.Mutex
	rows     []*row
	problems map[string]record.QueueProblem
	refused  map[saga.CommandID]record.RefusedCommand
	notes    int
}

type row struct {
	command wire.Command
	until   time.Time
}

const lease = 3 * time.Second

func (o *table) ClaimOutbox(_ context.Context, claim record.OutboxClaim) ([]wire.Command, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	except := make(map[string]bool)
	for _, queue := range claim.Except {
		except[queue] = true
	}
	var claimed []wire.Command
	for _, r := range o.rows {
		due := !r.until.After(time.Now()) && !except[r.command.Queue]
		if due && (claim.Only == "" || claim.Only == r.command.Queue) && len(claimed) < claim.Limit {
			r.until = time.Now().Add(lease)
			claimed = append(claimed, r.command)
		}
	}
	return claimed, nil
}

func (o *table) QueueControls(context.Context) ([]record.QueueControl, error) { return nil, nil }

func (o *table) ReleaseHeld(context.Context, record.HeldClaim) ([]wire.Command, error) {
	return nil, nil
}

func (o *table) MarkRefused(_ context.Context, refused []record.RefusedCommand) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, one := range refused {
		o.refused[one.Command] = one
		for _, r := range o.rows {
			if r.command.ID == one.Command {
				r.until, r.command.Suspect = time.Now().Add(one.RetryAfter), true
			}
		}
	}
	return nil
}

func (o *table) NoteQueueProblems(_ context.Context, problems []record.QueueProblem) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, problem := range problems {
		o.notes++
		o.problems[problem.Queue] = problem
		if problem.Kind == "" {
			delete(o.problems, problem.Queue)
		}
	}
	return nil
}

func (o *table) forget(ids []saga.CommandID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	done := make(map[saga.CommandID]bool)
	for _, id := range ids {
		done[id] = true
	}
	var kept []*row
	for _, r := range o.rows {
		if !done[r.command.ID] {
			kept = append(kept, r)
		}
	}
	o.rows = kept
}

// moody is a broker whose queues answer as the test decides.
type moody struct {
	mu        sync.Mutex
	answers   map[string]func(*wire.Command) (wire.Outcome, time.Duration)
	published map[string]int
	alone     int
	declared  []string
}

func (m *moody) Publish(_ context.Context, commands []wire.Command, settle func(int, wire.Receipt)) {
	time.Sleep(time.Millisecond)
	for i := range commands {
		outcome, after := m.answer(&commands[i])
		if after == 0 {
			settle(i, wire.Receipt{Outcome: outcome, Reason: "said the broker"})
			continue
		}
		time.AfterFunc(after, func() { settle(i, wire.Receipt{Outcome: outcome, Reason: "said the broker"}) })
	}
}

func (m *moody) answer(command *wire.Command) (wire.Outcome, time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.published[command.Queue]++
	if answer := m.answers[command.Queue]; answer != nil {
		return answer(command)
	}
	return wire.Confirmed, 0
}

func (m *moody) PublishAlone(_ context.Context, command *wire.Command) wire.Receipt {
	m.mu.Lock()
	m.alone++
	m.mu.Unlock()
	outcome, _ := m.answer(command)
	return wire.Receipt{Outcome: outcome, Reason: "said the broker"}
}

func (m *moody) DeclareQueues(_ context.Context, queues []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.declared = append(m.declared, queues...)
	return nil
}

func (m *moody) CanPublish() error { return nil }

func (m *moody) set(queue string, answer func(*wire.Command) (wire.Outcome, time.Duration)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answers[queue] = answer
}

func always(outcome wire.Outcome, after time.Duration) func(*wire.Command) (wire.Outcome, time.Duration) {
	return func(*wire.Command) (wire.Outcome, time.Duration) { return outcome, after }
}

// count returns how many commands were published to a queue since the last call.
func (m *moody) count(queue string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.published[queue]
	m.published[queue] = 0
	return n
}

// waiting runs a relay in virtual time with this many commands in the table for each queue.
func waiting(t *testing.T, commands int, queues ...string) (*table, *moody) {
	t.Helper()
	rows := &table{problems: make(map[string]record.QueueProblem), refused: make(map[saga.CommandID]record.RefusedCommand)}
	for _, queue := range queues {
		for i := range commands {
			id := saga.CommandID{Saga: fmt.Sprintf("%s-%d", queue, i), Step: "s", Direction: saga.Execute, Round: 1, Attempt: 1}
			rows.rows = append(rows.rows, &row{command: wire.Command{ID: id, Queue: queue, Timeout: time.Hour}})
		}
	}
	broker := &moody{answers: make(map[string]func(*wire.Command) (wire.Outcome, time.Duration)), published: make(map[string]int)}
	r := relay.New(relay.Config{
		Rows: rows, Publisher: broker,
		Published: func(_ context.Context, _ saga.CommandID, done func()) { done() },
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	running.Go(func() {
		for ctx.Err() == nil {
			rows.forget(r.TakeConfirmed(1, 1000))
			time.Sleep(10 * time.Millisecond)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return rows, broker
}

func (o *table) left(queue string) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.rows {
		if r.command.Queue == queue {
			n++
		}
	}
	return n
}

func (o *table) problem(queue string) record.QueueProblem {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.problems[queue]
}

// look reads what a running relay may be changing.
func look[T any](mu *sync.Mutex, read func() T) T {
	mu.Lock()
	defer mu.Unlock()
	return read()
}

func TestARefusingQueueIsProbedWithOneCommandAndDelaysNoOther(t *testing.T) {
	t.Parallel()
	for kind, outcome := range map[record.ProblemKind]wire.Outcome{
		record.QueueRefuses: wire.Nacked, record.QueueMissing: wire.Returned, record.QueueNotConfirming: wire.NotConfirmed,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				after := time.Duration(0)
				if outcome == wire.NotConfirmed {
					after = 2500 * time.Millisecond
				}
				rows, broker := waiting(t, 2000, "bad", "good")
				broker.set("bad", always(outcome, after))
				time.Sleep(10 * time.Second)
				assert.Zero(t, rows.left("good"), "the healthy queue has got its commands")
				broker.count("bad")
				time.Sleep(time.Minute)
				assert.InDelta(t, 4, broker.count("bad"), 3, "one command per pause")
				problem := rows.problem("bad")
				assert.Equal(t, kind, problem.Kind)
				assert.Equal(t, "said the broker", problem.Reason)
				assert.Less(t, look(&rows.mu, func() int { return rows.notes }), 20, "one note for each longer pause")
				assert.Equal(t, kind == record.QueueMissing, look(&broker.mu, func() int { return len(broker.declared) }) > 0, "a queue that stays missing is declared")

				broker.set("bad", nil)
				time.Sleep(20 * time.Second)
				assert.Zero(t, rows.left("bad"), "all commands arrive once the queue accepts them")
				assert.Empty(t, rows.problem("bad").Kind, "the note is deleted")
			})
		})
	}
}

func TestARefusedCommandWaitsLongerEachTimeAndIsPublishedAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rows, broker := waiting(t, 50, "q")
		guilty := look(&rows.mu, func() saga.CommandID { return rows.rows[20].command.ID })
		wait := func() time.Duration {
			return look(&rows.mu, func() time.Duration { return rows.refused[guilty].RetryAfter })
		}
		broker.set("q", func(command *wire.Command) (wire.Outcome, time.Duration) {
			if command.ID == guilty {
				return wire.Refused, 0
			}
			return wire.Confirmed, 0
		})
		time.Sleep(2 * time.Second)
		require.Equal(t, 1, rows.left("q"), "the others are published")
		require.Equal(t, 5*time.Second, wait())
		require.Empty(t, rows.problem("q").Kind, "a refused command says nothing about its queue")
		time.Sleep(10 * time.Second)
		require.Equal(t, 10*time.Second, wait())
		time.Sleep(5 * time.Hour)
		require.Equal(t, 10*time.Minute, wait(), "the longest wait")
		require.Positive(t, look(&broker.mu, func() int { return broker.alone }), "published alone")
		broker.set("q", nil)
		time.Sleep(11 * time.Minute)
		require.Zero(t, rows.left("q"))
	})
}
