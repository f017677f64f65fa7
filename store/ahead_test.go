package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// The database's clock was an hour ahead while a retry of a delivery was scheduled, and is back.
func TestADeliveryThatWaitsForLongerThanItCanIsDue(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, store.Config{DatabaseURL: url})
	d := damage{t, connect(t, url)}
	d.exec(`insert into webhooks (name, url, events, secret) values ('hook', '', '{saga.stuck}', decode(repeat('00', 32), 'hex'))`)
	d.exec(`insert into webhook_deliveries (webhook, event_id, type, body, attempts, due_at) values
		('hook', 'claimed', 't', '', 0, now() + interval '1 hour'), ('hook', 'after 5 s', 't', '', 1, now() + interval '1 hour'),
		('hook', 'after 30 s', 't', '', 2, now() + interval '59 minutes'), ('hook', 'after 10 minutes', 't', '', 4, now() + interval '11 minutes'),
		('hook', 'edited', 't', '', 100, 'infinity'),
		('hook', 'waits 30 s', 't', '', 2, now() + interval '29 s'), ('hook', 'waits an hour', 't', '', 6, now() + interval '59 minutes')`)
	require.NoError(t, s.EndWaitsAhead(t.Context()))
	claimed, err := s.ClaimDeliveries(t.Context(), record.DeliveryClaim{Room: map[string]int{"hook": 10}, Lease: time.Minute})
	require.NoError(t, err)
	var found []string
	for _, one := range claimed {
		found = append(found, one.EventID)
	}
	assert.ElementsMatch(t, []string{"claimed", "after 5 s", "after 30 s", "after 10 minutes", "edited"}, found)
}

func TestACommandThatWaitsForLongerThanItCanIsClaimed(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, store.Config{DatabaseURL: url})
	d := damage{t, connect(t, url)}
	storetest.NewFixture(t, s).Start(saga.Start{})
	for set, claimable := range map[string]bool{
		"held_rank = null, claimed_until = 'infinity', leased = false":                            true,
		"held_rank = null, claimed_until = 'infinity', leased = true":                             true,
		"held_rank = null, claimed_until = now() + interval '1 day', leased = false":              true,
		"held_rank = null, claimed_until = now() + interval '1 hour', leased = true":              true,
		"held_rank = null, claimed_until = now() + interval '1 hour', attempts = 1":               true,
		"held_rank = 200, claimed_until = 'infinity', leased = false":                             false,
		"held_rank = null, claimed_until = now() + interval '59 minutes', attempts = 15":          false,
		"held_rank = null, claimed_until = now() + interval '50 s', leased = false, attempts = 1": false,
	} {
		d.exec(`update outbox set attempts = 0, leased = false, refused_at = null`)
		d.exec(`update outbox set ` + set)
		require.NoError(t, s.EndWaitsAhead(t.Context()))
		claimed, err := s.ClaimOutbox(t.Context(), record.OutboxClaim{Limit: 10})
		require.NoError(t, err)
		assert.Equal(t, claimable, len(claimed) == 1, set)
	}
}

func TestAStartThatIsClaimedForLongerThanItCanIsClaimedAgain(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, store.Config{DatabaseURL: url})
	d := damage{t, connect(t, url)}
	d.exec(`insert into start_requests (saga_id, body, actor, attempts, claimed_until) values
		('ahead', '{}', '', 1, now() + interval '1 hour'), ('edited', '{}', '', 100, 'infinity'),
		('claimed', '{}', '', 1, now() + interval '9 s'), ('broken', '{}', '', 20, now() + interval '9 minutes')`)
	require.NoError(t, s.EndWaitsAhead(t.Context()))
	claimed, err := s.ClaimStarts(t.Context(), 10, 1000, time.Second)
	require.NoError(t, err)
	var found []string
	for _, one := range claimed {
		found = append(found, one.SagaID)
	}
	assert.ElementsMatch(t, []string{"ahead", "edited"}, found)
}

func TestABulkActionThatIsClaimedForLongerThanItCanIsClaimedByAnother(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, store.Config{DatabaseURL: url})
	d := damage{t, connect(t, url)}
	d.exec(`insert into bulk_actions (id, kind, action, filter, parameters, reason, actor, rate, canary, stop_after, status, created_at, holder)
		values ('bulk', 'sagas', 'retry', '{}', '{}', '', '', 0, 0, 0, 'running', now(), 'other')`)
	for until, claimable := range map[string]bool{"now() + interval '10 s'": false, "now() + interval '1 hour'": true, "'infinity'": true} {
		d.exec(`update bulk_actions set holder = 'other', claimed_until = ` + until)
		claimed, err := s.ClaimBulks(t.Context(), "this", 10*time.Second)
		require.NoError(t, err)
		assert.Equal(t, claimable, len(claimed) == 1, until)
	}
}

func TestAProblemOfAQueueWithARetryThatIsTooFarAheadIsStale(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, store.Config{DatabaseURL: url})
	d := damage{t, connect(t, url)}
	for at, current := range map[string]bool{"now() + interval '15 s'": true, "now() + interval '1 hour'": false, "now() + interval '10 years'": false, "'infinity'": false} {
		d.exec(`delete from queue_problems; insert into queue_problems (queue, kind, reason, since, retry_at) values ('q', 'refused', 'r', now(), ` + at + `)`)
		problems, err := s.QueueProblems(t.Context())
		require.NoError(t, err)
		assert.Equal(t, current, len(problems) == 1, at)
	}
}
