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

// evidence is everything known about a scenario's sagas after it has settled.
type evidence struct {
	checker.Run
	answered map[string]resource.Saga
	entries  []entry // of all sagas, in the order of time
}

// entry is a history entry with its saga.
type entry struct {
	SagaID string
	saga.Entry
}

// gather reads the answers, the rows, the histories, the ledger and the queues, each from its own source.
func (fx *fixture) gather() evidence {
	fx.t.Helper()
	e := evidence{answered: fx.answers(), entries: fx.histories()}
	stored := collect(fx, fx.sql, `select id, status from sagas`, func(row pgx.CollectableRow) (pair, error) {
		return pgx.RowToStructByPos[pair](row)
	})
	effects := collect(fx, fx.ledger, `select saga_id, step, compensated from ledger order by id`, pgx.RowToStructByPos[effect])
	shapes := fx.shapes()
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
		if fx.lost[one.SagaID] {
			continue
		}
		s := sagas[one.SagaID]
		s.Effects = append(s.Effects, checker.Effect{Step: one.Step, Compensated: one.Compensated})
		sagas[one.SagaID] = s
	}
	fx.sample(e.answered, e.entries)
	for id, s := range sagas {
		slices.SortFunc(s.History, func(a, b saga.Entry) int { return int(a.Seq - b.Seq) })
		sagas[id] = s
	}
	e.Run = checker.Run{
		Acknowledged: slices.Collect(maps.Keys(fx.load.known)), Sagas: sagas,
		Outbox: fx.count(`select count(*) from outbox`), Queues: fx.depths(),
		DeadLetters: collect(fx, fx.sql, `select reason from dead_letters`, pgx.RowTo[string]),
	}
	return e
}

type pair struct{ ID, Value string }

type effect struct {
	SagaID, Step string
	Compensated  bool
}

func collect[T any](fx *fixture, pool *pgxpool.Pool, query string, scan pgx.RowToFunc[T]) []T {
	fx.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	rows, err := pool.Query(ctx, query)
	require.NoError(fx.t, err)
	all, err := pgx.CollectRows(rows, scan)
	require.NoError(fx.t, err, query)
	return all
}

// answers reads every saga through the API.
func (fx *fixture) answers() map[string]resource.Saga {
	fx.t.Helper()
	all := make(map[string]resource.Saga)
	path := "/v1/sagas?limit=500"
	for {
		var page resource.List[resource.Saga]
		fx.await(30*time.Second, "the sagas should be listed", func() bool { // a list is 503 while the machine is too busy
			page = resource.List[resource.Saga]{}
			status, err := fx.anyAPI(0).call(http.MethodGet, path, "", nil, &page)
			return err == nil && status == http.StatusOK
		})
		for _, one := range page.Items {
			all[one.ID] = one
		}
		if page.NextCursor == "" {
			return all
		}
		path = "/v1/sagas?limit=500&cursor=" + url.QueryEscape(string(page.NextCursor))
	}
}

// sample reads some histories through the API too, and compares them with the table.
func (fx *fixture) sample(answered map[string]resource.Saga, entries []entry) {
	fx.t.Helper()
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
		fx.anyAPI(asked).must(fx.t, http.MethodGet, "/v1/sagas/"+id+"/history?limit=500", nil, &page, http.StatusOK)
		require.Len(fx.t, page.Items, stored[id], "the history of %s, as the API gives it", id)
	}
}

func (fx *fixture) histories() []entry {
	fx.t.Helper()
	return collect(fx, fx.sql, `select saga_id, seq, at, type, step, attempt, coalesce(detail, '{}')::text from saga_history order by at, saga_id, seq`,
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

// shapes returns what the checker needs to know of each definition.
func (fx *fixture) shapes() map[string][]checker.Step {
	shapes := make(map[string][]checker.Step)
	for name, definition := range fx.definitions {
		for _, s := range definition.Steps {
			shapes[name] = append(shapes[name], checker.Step{
				Name: s.Name, After: s.After, Compensatable: s.Compensation != "", Pivot: s.Kind == saga.Pivot,
			})
		}
	}
	return shapes
}

// queueNames returns all queues of the scenario.
func (fx *fixture) queueNames() []string {
	names := []string{fx.prefix + ".replies", fx.prefix + ".dead", fx.prefix + ".start", fx.prefix + ".installation", fx.prefix + ".check"}
	for _, queue := range append(Queues(), limbo, narrow) {
		names = append(names, fx.prefix+".commands."+queue)
	}
	return names
}

// depths counts the ready and unacknowledged messages of each queue: a lost consumer returns them. Check messages may come at any time.
func (fx *fixture) depths() map[string]int {
	depths := make(map[string]int)
	for line := range strings.SplitSeq(strings.TrimSpace(fx.control(fx.t, "list_queues", "name", "messages")), "\n") {
		var name string
		var messages int
		if _, err := fmt.Sscan(line, &name, &messages); err == nil && strings.HasPrefix(name, fx.prefix+".") && name != fx.prefix+".check" {
			depths[name] = messages
		}
	}
	return depths
}

// channel opens a channel for the rest of the test.
func (fx *fixture) channel() *amqp.Channel {
	fx.t.Helper()
	connection, channel := fx.connect()
	fx.t.Cleanup(func() { _ = connection.Close() })
	return channel
}

// connect opens a connection with a channel. The caller closes it.
func (fx *fixture) connect() (*amqp.Connection, *amqp.Channel) {
	fx.t.Helper()
	connection, err := amqp.DialConfig(fx.broker, amqp.Config{Dial: amqp.DefaultDial(5 * time.Second)})
	require.NoError(fx.t, err)
	channel, err := connection.Channel()
	require.NoError(fx.t, err)
	return connection, channel
}

// removeQueues deletes what the scenario declared.
func (fx *fixture) removeQueues() {
	connection, err := amqp.DialConfig(fx.broker, amqp.Config{Dial: amqp.DefaultDial(5 * time.Second)})
	if err != nil {
		return // the servers are broken, and are discarded as a whole
	}
	defer connection.Close()
	channel, err := connection.Channel()
	for _, name := range fx.queueNames() {
		if err == nil {
			_, err = channel.QueueDelete(name, false, false, false)
		}
	}
}

// awaitRabbitMQ waits until a client can use the broker.
func (fx *fixture) awaitRabbitMQ() {
	fx.t.Helper()
	fx.await(90*time.Second, "RabbitMQ should be back", func() bool { return servers.CheckRabbitMQ(context.Background(), fx.amqpURL()) == nil })
}
