package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Store is the union of the store interfaces of the engine, the relay and the API.
type Store interface {
	Transact(ctx context.Context, batch record.Batch, decide func(record.Loaded) (record.Changes, error)) error
	Due(ctx context.Context, grace time.Duration, after record.DueSaga, limit int) ([]record.DueSaga, error)

	ClaimOutbox(ctx context.Context, claim record.OutboxClaim) ([]wire.Command, error)
	MarkRefused(ctx context.Context, refused []record.RefusedCommand) error
	NoteQueueProblems(ctx context.Context, problems []record.QueueProblem) error
	QueueProblems(ctx context.Context) ([]record.QueueProblem, error)
	SetQueue(ctx context.Context, queue string, change func(*record.QueueSettings) error) (record.QueueSettings, error)
	QueueControls(ctx context.Context) ([]record.QueueControl, error)
	ReleaseHeld(ctx context.Context, claim record.HeldClaim) ([]wire.Command, error)
	ReleaseOutbox(ctx context.Context, ids []saga.CommandID) error
	OutboxRows(ctx context.Context, sagaID string) ([]record.OutboxRow, error)
	SagasOut(ctx context.Context, queue string, scope record.Scope) ([]string, error)

	PutDefinition(ctx context.Context, d *saga.Definition) (record.RegisteredDefinition, bool, error)
	Definition(ctx context.Context, name string, version int) (*saga.Definition, error)
	DefinitionVersion(ctx context.Context, name string, version int) (record.RegisteredDefinition, error)
	LatestDefinition(ctx context.Context, name string) (record.RegisteredDefinition, error)
	Definitions(ctx context.Context, page record.Page) (found []record.RegisteredDefinition, next string, err error)
	DefinitionVersions(ctx context.Context, name string, page record.Page) (found []record.RegisteredDefinition, next string, err error)
	Queues(ctx context.Context) ([]string, error)
	SetDisabled(ctx context.Context, definition string, disabled bool, actor string) (changed bool, err error)
	Disabled(ctx context.Context) ([]string, error)

	Saga(ctx context.Context, id string) (record.StoredSaga, error)
	Changed(ctx context.Context, revisions map[string]int64) ([]saga.Instance, error)
	Sagas(ctx context.Context, filter record.Filter, page record.Page) (found []record.StoredSaga, next string, err error)
	History(ctx context.Context, sagaID string, page record.Page) (entries []record.Entry, next string, err error)
	Groups(ctx context.Context, scope record.Scope, definition string) (record.Groups, error)
	Stats(ctx context.Context, scope record.Scope) (record.Stats, error)
	Unfinished(ctx context.Context) ([]record.Count, error)
	Attention(ctx context.Context) ([]record.AttentionCount, error)
	Backlog(ctx context.Context) (record.Backlog, error)
	StartedUnder(ctx context.Context, key string) (sagaID string, bodyHash []byte, err error)
	QueueLoads(ctx context.Context) ([]record.QueueLoad, error)

	QueueHealth(ctx context.Context) ([]record.QueueHealth, error)
	SettleQueueHealth(ctx context.Context, verdicts []record.QueueVerdict, sinks func(eventType string) []record.Sink) ([]record.QueueHealth, error)
	RecentDeadLetters(ctx context.Context, since time.Duration) (byQueue map[string]int64, now time.Time, err error)

	DeadLetters(ctx context.Context, filter record.DeadLetterFilter, page record.Page) (found []record.DeadLetter, next string, err error)
	DeadLetter(ctx context.Context, id string) (record.DeadLetter, error)
	DeleteDeadLetter(ctx context.Context, id string) error
	CommandLetters(ctx context.Context, sagaID string, commands []saga.CommandID) ([]record.DeadLetter, error)
	ExpireDeadLetters(ctx context.Context, age time.Duration, keep, limit int) (deleted int, err error)

	HoldLease(ctx context.Context, name, holder string, lease time.Duration) (held bool, err error)
	Expiry(ctx context.Context, rule record.RetentionRule) (record.Expiry, error)
	Expired(ctx context.Context, expiry record.Expiry, status saga.Status, after string, limit int) (ids []string, next string, err error)
	WithHistory(ctx context.Context, ids []string) ([]record.SagaWithHistory, error)
	DeleteSagas(ctx context.Context, deletion record.Deletion) (sagas, keys int, err error)
	ExpireKeys(ctx context.Context, age time.Duration, limit int) (deleted int, err error)
	ExpireBulk(ctx context.Context, age time.Duration, limit int) (deleted int, err error)

	CreateBulk(ctx context.Context, action record.BulkAction, targets record.BulkTargets) (record.BulkAction, error)
	Bulk(ctx context.Context, id string) (record.BulkAction, error)
	Bulks(ctx context.Context, page record.Page) (found []record.BulkAction, next string, err error)
	BulkItems(ctx context.Context, id string, outcome record.BulkOutcome, page record.Page) (found []record.BulkItem, next string, err error)
	ControlBulk(ctx context.Context, id string, control func(*record.BulkAction) error) (record.BulkAction, error)
	ClaimBulks(ctx context.Context, holder string, lease time.Duration) ([]record.BulkAction, error)
	RemainingBulk(ctx context.Context, id string, limit int) ([]string, error)

	NextEvents(ctx context.Context, sink record.Sink, limit int, except ...string) ([]record.Event, error)
	ForgetEvents(ctx context.Context, sink record.Sink, taken []record.Event) error

	PutWebhook(ctx context.Context, hook record.Webhook, otherwise []byte) (kept record.Webhook, created bool, err error)
	Webhook(ctx context.Context, name string) (record.Webhook, error)
	Webhooks(ctx context.Context) ([]record.Webhook, error)
	WebhookEvents(ctx context.Context) (map[string][]string, error)
	DeleteWebhook(ctx context.Context, name string) error
	AddDeliveries(ctx context.Context, deliveries []record.Delivery) error
	ClaimDeliveries(ctx context.Context, claim record.DeliveryClaim) ([]record.Delivery, error)
	SettleDelivery(ctx context.Context, outcome record.DeliveryOutcome) error

	Audit(ctx context.Context, filter record.AuditFilter, page record.Page) (found []record.AuditEntry, next string, err error)
	SealAudit(ctx context.Context) (int, error)
	AuditChain(ctx context.Context) (record.AuditChain, error)
	ExpireAudit(ctx context.Context, age time.Duration, limit int) (deleted int, err error)

	CreateKey(ctx context.Context, key record.Key) error
	Keys(ctx context.Context) ([]record.Key, error)
	RevokeKey(ctx context.Context, id string) error
	RotateKey(ctx context.Context, id string, hash []byte, grace time.Duration) (record.Key, error)
	UseKey(ctx context.Context, id string) error
	KeyByHash(ctx context.Context, hash []byte) (record.Key, error)

	Installation(ctx context.Context) (string, error)
	Ping(ctx context.Context) error
	Close() error
}

// Open opens an empty store with this lease for outbox rows. It is closed when the test ends.
type Open func(t *testing.T, lease time.Duration) Store

// LongLease outlasts every test: no other claim takes a leased command.
const LongLease = time.Hour

// Run runs every rule against the stores that open returns.
func Run(t *testing.T, open Open) {
	t.Helper()
	groups := map[string]map[string]rule{
		"transact": transactRules(), "starts": startRules(), "races": raceRules(), "outbox": outboxRules(), "queues": queueRules(),
		"definitions": definitionRules(), "lists": listRules(), "groups": groupRules(), "bulk": bulkRules(), "bulk keys": bulkKeyRules(), "disabled": disabledRules(), "reads": readRules(), "dead letters": deadLetterRules(),
		"retention": retentionRules(), "health": healthRules(),
		"keys": keyRules(), "claims": claimRules(), "sizes": sizeRules(), "events": eventRules(), "webhooks": webhookRules(), "scope": scopeRules(), "audit": auditRules(),
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

// rule is one requirement on a store.
type rule func(*testing.T, Open)

// with opens a store with a long lease.
func with(test func(*Fixture)) rule {
	return func(t *testing.T, open Open) {
		t.Helper()
		test(NewFixture(t, open(t, LongLease)))
	}
}
