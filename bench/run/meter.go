package run

import (
	"context"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
)

// meter returns a meter of this process, which includes the load, of the worker process and of the servers.
func (r Run) meter(ctx context.Context, db *pgx.Conn, worker *worker) (*loadtest.Meter, error) {
	local := loadtest.Local()
	postmaster, err := local.Postmaster(ctx, db)
	if err != nil {
		return nil, err
	}
	groups := []loadtest.Group{
		{Name: "orchestrator", PIDs: []int{os.Getpid()}, Peak: true},
		{Name: "postgres", PIDs: postmaster},
	}
	if worker != nil {
		groups = append(groups, loadtest.Group{Name: "worker", PIDs: []int{worker.pid()}, Peak: true})
	}
	if r.Entry.Broker {
		uri, err := amqp.ParseURI(r.Place.AMQPURL)
		if err != nil {
			return nil, fmt.Errorf("parse the broker's URL: %w", err)
		}
		broker := local.Listener(fmt.Sprintf("%s:%d", uri.Host, uri.Port), "beam.smp")
		groups = append(groups, loadtest.Group{Name: "rabbitmq", PIDs: broker})
	}
	return &loadtest.Meter{Processes: local, Groups: groups, Postgres: db}, nil
}
