package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/store"
)

const insertWebhook = `insert into webhooks (name, url, events, secret, last_error) `

// SQL can store a webhook of any size, and any number of them. What is shown is bounded, and nothing is sent to half a URL.
func TestAWebhookThatIsTooLargeIsShownCut(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s, d := open(t, store.Config{DatabaseURL: url}), damage{t, connect(t, url)}
	d.exec(insertWebhook + `values ('large', 'https://example.com/' || repeat('ü', 5000000), array['saga.stuck', repeat('e', 5000000)],
		'\x01', repeat('x', 5000000))`)
	whole := "https://example.com/" + strings.Repeat("u", 8000)
	d.exec(insertWebhook+`values ('whole', $1, array['saga.stuck'], '\x01', 'refused')`, whole)
	found, err := s.Webhooks(t.Context())
	require.NoError(t, err)
	require.Len(t, found, 2)
	one, err := s.Webhook(t.Context(), "large")
	require.NoError(t, err)
	require.Equal(t, found[0], one)
	assert.True(t, one.URLTooLong)
	assert.Equal(t, "https://example.com/"+strings.Repeat("ü", 2028)+"…", one.URL)
	assert.Equal(t, []string{"saga.stuck"}, one.Events)
	assert.Equal(t, strings.Repeat("x", 1024)+"…", one.LastError)
	assert.False(t, found[1].URLTooLong)
	assert.Equal(t, []string{whole, "refused"}, []string{found[1].URL, found[1].LastError})
	wanted, err := s.WebhookEvents(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"large": {"saga.stuck"}, "whole": {"saga.stuck"}}, wanted)

	require.NoError(t, s.AddDeliveries(t.Context(), []record.Delivery{
		{Webhook: "large", EventID: "e", Type: "saga.stuck", Body: []byte("{}")}, {Webhook: "whole", EventID: "e", Type: "saga.stuck", Body: []byte("{}")},
	}))
	claimed, err := s.ClaimDeliveries(t.Context(), record.DeliveryClaim{Room: map[string]int{"large": 1, "whole": 1}, Lease: time.Minute})
	require.NoError(t, err)
	require.Len(t, claimed, 2)
	for _, delivery := range claimed {
		if delivery.Webhook == "whole" {
			require.NoError(t, delivery.Unreadable)
			require.Equal(t, whole, delivery.URL)
			continue
		}
		require.ErrorIs(t, delivery.Unreadable, record.ErrURLTooLong)
		require.Empty(t, delivery.URL)
	}
	require.NoError(t, s.SettleDelivery(t.Context(), record.DeliveryOutcome{Webhook: "whole", EventID: "e", Error: strings.Repeat("x", 100_000)}))
	one, err = s.Webhook(t.Context(), "whole")
	require.NoError(t, err)
	require.Len(t, one.LastError, 4<<10)
}

func TestAListOfWebhooksIsBoundedByItsBytes(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s, d := open(t, store.Config{DatabaseURL: url}), damage{t, connect(t, url)}
	d.exec(insertWebhook + `select 'n' || i, 'https://example.com/' || repeat('u', 8000), array['saga.stuck'], '\x01', '' from generate_series(1, 1000) i`)
	found, err := s.Webhooks(t.Context())
	require.NoError(t, err)
	require.Less(t, len(found), record.PageBytes/8000)
	require.Greater(t, len(found), 400)
}
