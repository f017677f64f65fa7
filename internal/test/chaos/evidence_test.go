package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/test/checker"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/servers"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// evidence is everything that is known of a scenario's sagas when all is quiet again.
type evidence struct {
	checker.Run
	answered map[string]resource.Saga
	entries  []entry // of all sagas, in the order of time
}

// entry is a history line with the saga that it belongs to.
type entry struct {
	SagaID string
	saga.Entry
}

// gather reads the answers, the rows, the histories, the ledger and the queues. None of it goes through the same hands.
func (w *world) gather() evidence {
	w.t.Helper()
	e := evidence{answered: w.answers(), entries: w.histories()}
	stored := collect(w, w.sql, `select id, status from sagas`, func(row pgx.CollectableRow) (pair, error) {
		return pgx.RowToStructByPos[pair](row)
	})
	effects := collect(w, w.ledger, `select saga_id, step, undone from ledger order by id`, pgx.RowToStructByPos[effect])
	shapes := w.shapes()
	sagas := make(map[string]checker.Saga, len(stored))
	for _, row := range stored {
		answer := e.answered[row.ID]
		s := checker.Saga{ID: row.ID, Stored: saga.Status(row.Value), Answered: answer.Status, Steps: shapes[answer.Definition]}
		if newer, found := shapes[fmt.Sprintf("%s@%d", answer.Definition, answer.Version)]; found {
			s.Steps = newer
		}
		if answer.Attention != nil {
			s.Reason = answer.Attention.Reason
		}
		sagas[row.ID] = s
	}
	for _, one := range e.entries {
		s := sagas[one.SagaID]
		s.History = append(s.History, one.Entry)
		sagas[one.SagaID] = s
	}
	for _, one := range effects {
		if w.lost[one.SagaID] {
			continue
		}
		s := sagas[one.SagaID]
		s.Effects = append(s.Effects, checker.Effect{Step: one.Step, Compensated: one.Undone})
		sagas[one.SagaID] = s
	}
	w.sample(e.answered, e.entries)
	for id, s := range sagas {
		slices.SortFunc(s.History, func(a, b saga.Entry) int { return int(a.Seq - b.Seq) })
		sagas[id] = s
	}
	e.Run = checker.Run{
		Acknowledged: slices.Collect(maps.Keys(w.load.known)), Sagas: sagas,
		Outbox: w.count(`select count(*) from outbox`), Queues: w.depths(),
		DeadLetters: collect(w, w.sql, `select reason from dead_letters`, pgx.RowTo[string]),
	}
	return e
}

type pair struct{ ID, Value string }

type effect struct {
	SagaID, Step string
	Undone       bool
}

func collect[T any](w *world, pool *pgxpool.Pool, query string, scan pgx.RowToFunc[T]) []T {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	rows, err := pool.Query(ctx, query)
	require.NoError(w.t, err)
	all, err := pgx.CollectRows(rows, scan)
	require.NoError(w.t, err, query)
	return all
}

// answers reads every saga by the API, page after page.
func (w *world) answers() map[string]resource.Saga {
	w.t.Helper()
	all := make(map[string]resource.Saga)
	path := "/v1/sagas?limit=500"
	for {
		var page resource.List[resource.Saga]
		w.anyAPI(0).must(w.t, http.MethodGet, path, nil, &page, http.StatusOK)
		for _, one := range page.Items {
			all[one.ID] = one
		}
		if page.NextCursor == "" {
			return all
		}
		path = "/v1/sagas?limit=500&cursor=" + url.QueryEscape(string(page.NextCursor))
	}
}

// sample reads some histories by the API too, and holds them against the table.
func (w *world) sample(answered map[string]resource.Saga, entries []entry) {
	w.t.Helper()
	stored := make(map[string]int)
	for _, one := range entries {
		stored[one.SagaID]++
	}
	asked := 0
	for id := range answered {
		if asked++; asked > 20 {
			return
		}
		var page resource.List[resource.HistoryEntry]
		w.anyAPI(asked).must(w.t, http.MethodGet, "/v1/sagas/"+id+"/history?limit=500", nil, &page, http.StatusOK)
		require.Len(w.t, page.Items, stored[id], "the history of %s, as the API gives it", id)
	}
}

func (w *world) histories() []entry {
	w.t.Helper()
	return collect(w, w.sql, `select saga_id, seq, at, type, step, attempt, coalesce(detail, '{}')::text from saga_history order by at, saga_id, seq`,
		func(row pgx.CollectableRow) (entry, error) {
			var e entry
			var detail string
			err := row.Scan(&e.SagaID, &e.Seq, &e.At, &e.Type, &e.Step, &e.Attempt, &detail)
			if err == nil {
				err = json.Unmarshal([]byte(detail), &e.Detail)
			}
			return e, err
		})
}

// shapes tells the judge what it has to know of each definition.
func (w *world) shapes() map[string][]checker.Step {
	shapes := make(map[string][]checker.Step)
	for name, definition := range w.definitions {
		for _, s := range definition.Steps {
			shapes[name] = append(shapes[name], checker.Step{
				Name: s.Name, After: s.After, Compensatable: s.Compensation != "", Pivot: s.Kind == saga.Pivot,
			})
		}
	}
	return shapes
}

// queueNames are all queues of the scenario.
func (w *world) queueNames() []string {
	names := []string{w.prefix + ".replies", w.prefix + ".dead", w.prefix + ".start", w.prefix + ".installation"}
	for _, queue := range append(Queues(), limbo, narrow) {
		names = append(names, w.prefix+".commands."+queue)
	}
	return names
}

// depths counts what is ready in each queue, and what consumers hold: a consumer that is gone gives it back.
func (w *world) depths() map[string]int {
	depths := make(map[string]int)
	for line := range strings.SplitSeq(strings.TrimSpace(w.control(w.t, "list_queues", "name", "messages")), "\n") {
		var name string
		var messages int
		if _, err := fmt.Sscan(line, &name, &messages); err == nil && strings.HasPrefix(name, w.prefix+".") {
			depths[name] = messages
		}
	}
	return depths
}

// channel opens a channel that lasts as long as the test.
func (w *world) channel() *amqp.Channel {
	w.t.Helper()
	connection, channel := w.connect()
	w.t.Cleanup(func() { _ = connection.Close() })
	return channel
}

// connect opens a connection, to be closed by the caller, with a channel.
func (w *world) connect() (*amqp.Connection, *amqp.Channel) {
	w.t.Helper()
	connection, err := amqp.DialConfig(w.broker, amqp.Config{Dial: amqp.DefaultDial(5 * time.Second)})
	require.NoError(w.t, err)
	channel, err := connection.Channel()
	require.NoError(w.t, err)
	return connection, channel
}

// removeQueues deletes what the scenario declared.
func (w *world) removeQueues() {
	connection, err := amqp.DialConfig(w.broker, amqp.Config{Dial: amqp.DefaultDial(5 * time.Second)})
	if err != nil {
		return // the arena is broken, and goes as a whole
	}
	defer connection.Close()
	channel, err := connection.Channel()
	for _, name := range w.queueNames() {
		if err == nil {
			_, err = channel.QueueDelete(name, false, false, false)
		}
	}
}

// awaitRabbitMQ waits until any client can use the broker.
func (w *world) awaitRabbitMQ() {
	w.t.Helper()
	w.await(90*time.Second, "RabbitMQ should be back", func() bool { return servers.CheckRabbitMQ(context.Background(), w.amqpURL()) == nil })
}
