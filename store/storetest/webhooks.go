package storetest

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

func webhookRules() map[string]rule {
	return map[string]rule{
		"a webhook is stored, changed and deleted":       with(webhookKept),
		"a webhook keeps its secret":                     with(webhookSecret),
		"a delivery is claimed when it is due":           with(deliveryClaimed),
		"a webhook's room does not depend on the others": with(deliveryRoom),
		"there are not too many":                         with(webhooksLimited),
	}
}

func hook(name string, events ...string) record.Webhook {
	return record.Webhook{Name: name, URL: "https://example.com/" + name, Events: events}
}

func (f *Fixture) putHook(w record.Webhook) record.Webhook {
	f.t.Helper()
	kept, _, err := f.PutWebhook(f.t.Context(), w, []byte("generated"))
	require.NoError(f.t, err)
	return kept
}

func (f *Fixture) deliver(names ...string) {
	f.t.Helper()
	var all []record.Delivery
	for _, name := range names {
		all = append(all, record.Delivery{Webhook: name, EventID: fmt.Sprint("s/", len(all)), Type: "saga.stuck", Body: []byte("{}")})
	}
	require.NoError(f.t, f.AddDeliveries(f.t.Context(), all))
}

func (f *Fixture) dueDeliveries(room map[string]int) []record.Delivery {
	f.t.Helper()
	found, err := f.ClaimDeliveries(f.t.Context(), record.DeliveryClaim{Room: room, Lease: time.Hour})
	require.NoError(f.t, err)
	return found
}

func webhookKept(f *Fixture) {
	t := f.t
	first := f.putHook(hook("pager", "saga.stuck"))
	assert.Equal(t, []string{"pager", "https://example.com/pager"}, []string{first.Name, first.URL})
	assert.False(t, first.CreatedAt.IsZero())
	changed := hook("pager", "queue.unhealthy", "saga.attention")
	changed.URL = "http://other.example"
	second, created, err := f.PutWebhook(t.Context(), changed, []byte("other"))
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, []any{first.CreatedAt, changed.URL, changed.Events}, []any{second.CreatedAt, second.URL, second.Events})
	f.putHook(hook("audit", "saga.completed"))
	all, err := f.Webhooks(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 2)
	assert.Equal(t, []string{"audit", "pager"}, []string{all[0].Name, all[1].Name})
	wanted, err := f.WebhookEvents(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string][]string{"audit": {"saga.completed"}, "pager": changed.Events}, wanted)

	f.deliver("pager", "pager", "audit", "none")
	shown, err := f.Webhook(t.Context(), "pager")
	require.NoError(t, err)
	assert.EqualValues(t, 2, shown.Waiting)
	assert.False(t, shown.Oldest.IsZero())
	require.NoError(t, f.DeleteWebhook(t.Context(), "pager"))
	require.ErrorIs(t, f.DeleteWebhook(t.Context(), "pager"), record.ErrWebhookNotFound)
	_, err = f.Webhook(t.Context(), "pager")
	require.ErrorIs(t, err, record.ErrWebhookNotFound)
	assert.Len(t, f.dueDeliveries(map[string]int{"pager": 5, "audit": 5}), 1, "its deliveries are gone")
	for _, name := range []string{"", "a\x00"} {
		require.ErrorIs(t, f.DeleteWebhook(t.Context(), name), record.ErrWebhookNotFound)
		_, err = f.Webhook(t.Context(), name)
		require.ErrorIs(t, err, record.ErrWebhookNotFound)
	}
}

func webhookSecret(f *Fixture) {
	assert.Equal(f.t, "generated", string(f.putHook(hook("a", "saga.stuck")).Secret))
	given := hook("a", "saga.stuck")
	given.Secret = []byte("given")
	assert.Equal(f.t, "given", string(f.putHook(given).Secret))
	assert.Equal(f.t, "given", string(f.putHook(hook("a", "saga.completed")).Secret))
}

func deliveryClaimed(f *Fixture) {
	t := f.t
	f.putHook(hook("a", "saga.stuck"))
	f.deliver("a", "a")
	f.deliver("a", "a") // the same events again
	room := map[string]int{"a": 1}
	first, second := f.dueDeliveries(room), f.dueDeliveries(room)
	require.Len(t, first, 1)
	require.Len(t, second, 1)
	assert.NotEqual(t, first[0].EventID, second[0].EventID)
	assert.Equal(t, []string{"https://example.com/a", "generated", "saga.stuck", "{}"},
		[]string{first[0].URL, string(first[0].Secret), first[0].Type, string(first[0].Body)})
	assert.Empty(t, f.dueDeliveries(room), "both are claimed")
	settle := func(d record.Delivery, fault string, again time.Duration) {
		require.NoError(t, f.SettleDelivery(t.Context(), record.DeliveryOutcome{Webhook: "a", EventID: d.EventID, Error: fault, RetryAfter: again}))
	}
	settle(first[0], "answered 500", time.Microsecond)
	shown, err := f.Webhook(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, "answered 500", shown.LastError)
	assert.False(t, shown.LastAt.IsZero())
	var again []record.Delivery
	require.Eventually(t, func() bool { again = f.dueDeliveries(room); return len(again) == 1 }, 10*time.Second, time.Millisecond)
	assert.Equal(t, []any{first[0].EventID, 1}, []any{again[0].EventID, again[0].Attempts})
	assert.True(t, first[0].CreatedAt.Equal(again[0].CreatedAt))
	settle(again[0], "", 0)
	settle(second[0], "given up", 0)
	settle(second[0], "", 0) // twice is not an error
	shown, err = f.Webhook(t.Context(), "a")
	require.NoError(t, err)
	assert.Zero(t, shown.Waiting)
	assert.Empty(t, shown.LastError)
}

func deliveryRoom(f *Fixture) {
	f.putHook(hook("slow", "saga.stuck"))
	f.putHook(hook("quick", "saga.stuck"))
	for range 3 {
		f.deliver("slow", "quick", "slow", "slow", "quick")
	}
	counts := make(map[string]int)
	for _, d := range f.dueDeliveries(map[string]int{"slow": 1, "quick": 5}) {
		counts[d.Webhook]++
	}
	assert.Equal(f.t, map[string]int{"slow": 1, "quick": 2}, counts)
	assert.Empty(f.t, f.dueDeliveries(nil))
}

func webhooksLimited(f *Fixture) {
	for i := range record.MaxWebhooks {
		f.putHook(hook(fmt.Sprint("w", i), "saga.stuck"))
	}
	_, _, err := f.PutWebhook(f.t.Context(), hook("more", "saga.stuck"), []byte("x"))
	require.ErrorIs(f.t, err, record.ErrTooManyWebhooks)
	f.putHook(hook("w7", "saga.completed"))
}
