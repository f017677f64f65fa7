package turn

import (
	"context"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/internal/measure"
)

// meter measures this process, which also makes the load, the worker's, and the servers.
func (t Turn) meter(ctx context.Context, db *pgx.Conn, worker *worker) (*measure.Meter, error) {
	local := measure.Local()
	postmaster, err := local.Postmaster(ctx, db)
	if err != nil {
		return nil, err
	}
	groups := []measure.Group{
		{Name: "orchestrator", PIDs: []int{os.Getpid()}, Peak: true},
		{Name: "postgres", PIDs: postmaster},
	}
	if worker != nil {
		groups = append(groups, measure.Group{Name: "worker", PIDs: []int{worker.pid()}, Peak: true})
	}
	if t.Entry.Broker {
		uri, err := amqp.ParseURI(t.Place.AMQPURL)
		if err != nil {
			return nil, fmt.Errorf("read the broker's URL: %w", err)
		}
		broker := local.Listener(fmt.Sprintf("%s:%d", uri.Host, uri.Port), "beam.smp")
		groups = append(groups, measure.Group{Name: "rabbitmq", PIDs: broker})
	}
	return &measure.Meter{Processes: local, Groups: groups, Postgres: db}, nil
}
