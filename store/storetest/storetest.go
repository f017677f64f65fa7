package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Store is everything that the engine, the relay and the API together ask of a store.
type Store interface {
	Transact(ctx context.Context, batch record.Batch, decide func(record.Loaded) (record.Changes, error)) error
	Due(ctx context.Context, grace time.Duration, after record.DueSaga, limit int) ([]record.DueSaga, error)

	ClaimOutbox(ctx context.Context, claim record.OutboxClaim) ([]wire.Command, error)
	MarkRefused(ctx context.Context, refused []record.RefusedCommand) error
	NoteQueueProblems(ctx context.Context, problems []record.QueueProblem) error
	QueueProblems(ctx context.Context) ([]record.QueueProblem, error)
	ReleaseOutbox(ctx context.Context, ids []saga.CommandID) error
	OutboxRows(ctx context.Context, sagaID string) ([]record.OutboxRow, error)

	PutDefinition(ctx context.Context, d *saga.Definition) (record.RegisteredDefinition, bool, error)
	Definition(ctx context.Context, name string, version int) (*saga.Definition, error)
	DefinitionVersion(ctx context.Context, name string, version int) (record.RegisteredDefinition, error)
	LatestDefinition(ctx context.Context, name string) (record.RegisteredDefinition, error)
	Definitions(ctx context.Context, page record.Page) (found []record.RegisteredDefinition, next string, err error)
	DefinitionVersions(ctx context.Context, name string, page record.Page) (found []record.RegisteredDefinition, next string, err error)
	Queues(ctx context.Context) ([]string, error)

	Saga(ctx context.Context, id string) (record.StoredSaga, error)
	Changed(ctx context.Context, revisions map[string]int64) ([]saga.Instance, error)
	Sagas(ctx context.Context, filter record.Filter, page record.Page) (found []record.StoredSaga, next string, err error)
	History(ctx context.Context, sagaID string, page record.Page) (entries []record.Entry, next string, err error)
	Stats(ctx context.Context) (record.Stats, error)
	Backlog(ctx context.Context) (record.Backlog, error)
	QueueLoads(ctx context.Context) ([]record.QueueLoad, error)

	DeadLetters(ctx context.Context, page record.Page) (found []record.DeadLetter, next string, err error)
	DeadLetter(ctx context.Context, id string) (record.DeadLetter, error)
	DeleteDeadLetter(ctx context.Context, id string) error

	CreateKey(ctx context.Context, key record.Key) error
	Keys(ctx context.Context) ([]record.Key, error)
	RevokeKey(ctx context.Context, id string) error
	KeyByHash(ctx context.Context, hash []byte) (record.Key, error)

	Installation(ctx context.Context) (string, error)
	Ping(ctx context.Context) error
	Close() error
}

// Open makes an empty store whose outbox leases last that long. It is closed when the test ends.
type Open func(t *testing.T, lease time.Duration) Store

// LongLease outlasts every test: what is leased with it is claimed by nobody else.
const LongLease = time.Hour

// Run holds the stores that open makes to every rule.
func Run(t *testing.T, open Open) {
	t.Helper()
	groups := map[string]map[string]rule{
		"transact": transactRules(), "starts": startRules(), "races": raceRules(), "outbox": outboxRules(),
		"definitions": definitionRules(), "lists": listRules(), "reads": readRules(), "put aside": deadLetterRules(),
		"keys": keyRules(), "claims": claimRules(), "sizes": sizeRules(),
	}
	for group, rules := range groups {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			for rule, test := range rules {
				t.Run(rule, func(t *testing.T) {
					t.Parallel()
					test(t, open)
				})
			}
		})
	}
}

// rule is one thing that a store must do.
type rule func(*testing.T, Open)

// with opens a store with a long lease for rules that need nothing else.
func with(test func(*World)) rule {
	return func(t *testing.T, open Open) {
		t.Helper()
		test(NewWorld(t, open(t, LongLease)))
	}
}
