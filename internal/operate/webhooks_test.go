package operate_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/operate"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

func stuckEvent(seq int64) wire.Event {
	return wire.Event{Subject: "saga", Seq: seq, Type: "saga.stuck", At: time.Unix(seq, 0), Definition: "d", Data: []byte(`{"definition":"d"}`)}
}

func webhookStore(t *testing.T, hooks ...record.Webhook) *memory.Store {
	t.Helper()
	store, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	for _, hook := range hooks {
		_, _, err := store.PutWebhook(t.Context(), hook, []byte("the secret"))
		require.NoError(t, err)
	}
	return store
}

// delivering runs deliveries until the test ends.
func delivering(t *testing.T, config operate.WebhookConfig) *operate.Deliveries {
	t.Helper()
	config.Source = "/saga"
	d := operate.NewDeliveries(config)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { d.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return d
}

func publish(t *testing.T, d *operate.Deliveries, events ...wire.Event) {
	t.Helper()
	for _, err := range d.PublishEvents(t.Context(), events) {
		require.NoError(t, err)
	}
}

func TestADeliveryIsSigned(t *testing.T) {
	t.Parallel()
	type got struct {
		header http.Header
		body   string
	}
	received := make(chan got, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		received <- got{r.Header, string(body)}
	}))
	defer receiver.Close()
	store := webhookStore(t, record.Webhook{Name: "pager", URL: receiver.URL, Events: []string{"saga.stuck"}})
	sender := operate.NewSender(time.Now)
	defer sender.Close()
	d := delivering(t, operate.WebhookConfig{Webhooks: store, Send: sender.Send})
	other := stuckEvent(2)
	other.Type = "saga.completed"
	publish(t, d, stuckEvent(1), other, stuckEvent(3))
	for range 2 {
		g := <-received
		id, at := g.header.Get("webhook-id"), g.header.Get("webhook-timestamp")
		assert.Contains(t, []string{"saga/1", "saga/3"}, id)
		mac := hmac.New(sha256.New, []byte("the secret"))
		fmt.Fprintf(mac, "%s.%s.%s", id, at, g.body)
		assert.Equal(t, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)), g.header.Get("webhook-signature"))
		assert.Equal(t, wire.EventContentType, g.header.Get("Content-Type"))
		event, err := wire.DecodeEvent([]byte(g.body))
		assert.NoError(t, err)
		assert.Equal(t, []string{id, "saga.stuck", "/saga"}, []string{event.ID, event.Type, event.Source})
	}
	require.Eventually(t, func() bool {
		hook, err := store.Webhook(t.Context(), "pager")
		return err == nil && hook.Waiting == 0 && !hook.LastAt.IsZero()
	}, 10*time.Second, time.Millisecond)
	assert.Empty(t, received)
}

// The pauses are those of the contract: 5 s, 30 s, 2 m, 10 m, 30 m, then an hour, for a day.
// An event that SQL has written may not be one that can be delivered: it fails alone, and its id fits the table.
func TestAnEventThatCannotBeDeliveredDelaysNoOther(t *testing.T) {
	t.Parallel()
	received := make(chan record.Delivery, 10)
	store := webhookStore(t, record.Webhook{Name: "pager", URL: "http://example.com", Events: []string{"saga.stuck"}})
	d := delivering(t, operate.WebhookConfig{
		Webhooks: store, Send: func(_ context.Context, delivery record.Delivery) error { received <- delivery; return nil },
	})
	broken, long := stuckEvent(1), stuckEvent(2)
	broken.Data, long.Subject = []byte("{"), strings.Repeat("s", 3000)
	faults := d.PublishEvents(t.Context(), []wire.Event{broken, long, stuckEvent(3)})
	require.Error(t, faults[0])
	require.NoError(t, faults[1])
	require.NoError(t, faults[2])
	var ids []string
	for range 2 {
		ids = append(ids, (<-received).EventID)
	}
	slices.Sort(ids)
	assert.Len(t, ids[0], 64)
	assert.Equal(t, "saga/3", ids[1])
}

func TestAFailedDeliveryIsRepeatedForADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var attempts []time.Duration
		outcomes := make(map[string]int)
		began := time.Now()
		store := webhookStore(t, record.Webhook{Name: "pager", URL: "http://x", Events: []string{"saga.stuck"}})
		ctx, cancel := context.WithCancel(t.Context())
		d := operate.NewDeliveries(operate.WebhookConfig{
			Webhooks: store, Source: "/saga",
			Send: func(context.Context, record.Delivery) error {
				attempts = append(attempts, time.Since(began).Round(time.Second))
				return fmt.Errorf("it answered %d", 503)
			},
			Delivered: func(_, outcome string) { outcomes[outcome]++ },
		})
		var running sync.WaitGroup
		running.Go(func() { d.Run(ctx) })
		publish(t, d, stuckEvent(1))
		time.Sleep(30 * time.Hour)
		cancel()
		running.Wait()
		require.Greater(t, len(attempts), 6)
		var pauses []string
		for i, at := range attempts[1:7] {
			pauses = append(pauses, (at - attempts[i]).Round(time.Second).String())
		}
		assert.Equal(t, "5s 30s 2m0s 10m0s 30m0s 1h0m0s", strings.Join(pauses, " "))
		assert.LessOrEqual(t, attempts[len(attempts)-1], 24*time.Hour)
		assert.Greater(t, attempts[len(attempts)-1], 22*time.Hour)
		assert.Equal(t, map[string]int{operate.DeliveryFailed: len(attempts) - 1, operate.DeliveryGaveUp: 1}, outcomes)
		hook, err := store.Webhook(t.Context(), "pager")
		require.NoError(t, err)
		assert.Equal(t, []any{int64(0), "it answered 503"}, []any{hook.Waiting, hook.LastError})
	})
}

// A receiver that hangs for each event delays another by nothing.
func TestAReceiverThatHangsDelaysNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := webhookStore(t, record.Webhook{Name: "slow", URL: "http://slow", Events: []string{"saga.stuck"}},
			record.Webhook{Name: "quick", URL: "http://quick", Events: []string{"saga.stuck"}})
		var latest atomic.Int64
		var quick atomic.Int64
		d := delivering(t, operate.WebhookConfig{Webhooks: store, Send: func(ctx context.Context, delivery record.Delivery) error {
			if delivery.Webhook == "slow" {
				select {
				case <-time.After(operate.DeliveryTimeout):
				case <-ctx.Done():
				}
				return context.DeadlineExceeded
			}
			quick.Add(1)
			latest.Store(time.Now().UnixNano())
			return nil
		}})
		for seq := range int64(40) {
			began := time.Now()
			publish(t, d, stuckEvent(seq+1))
			time.Sleep(time.Second)
			require.Equal(t, seq+1, quick.Load())
			require.Less(t, time.Duration(latest.Load()-began.UnixNano()), time.Second)
		}
	})
}

func TestAWebhookIsNeverLinkLocal(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "0.0.0.0", "224.0.0.1",
		"64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "::169.254.169.254", "fd00:ec2::254", "fe80::1%eth0", "ff02::1",
	} {
		require.Error(t, operate.CheckWebhookAddress(netip.MustParseAddr(address)), address)
	}
	for _, address := range []string{"127.0.0.1", "10.0.0.1", "::1", "192.168.1.1", "203.0.113.9", "64:ff9b::cb00:7109", "fd00::1", "2001:db8::1"} {
		require.NoError(t, operate.CheckWebhookAddress(netip.MustParseAddr(address)), address)
	}
	sender := operate.NewSender(time.Now)
	defer sender.Close()
	err := sender.Send(t.Context(), record.Delivery{URL: "http://169.254.169.254/secret-path", Secret: []byte("s")})
	require.ErrorContains(t, err, "link-local")
	assert.NotContains(t, err.Error(), "secret-path")
}

// A redirect could lead to an address that was not checked, and a success page of a login would be taken for the receiver's.
func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:1/", http.StatusTemporaryRedirect))
	defer receiver.Close()
	sender := operate.NewSender(time.Now)
	defer sender.Close()
	require.ErrorContains(t, sender.Send(t.Context(), record.Delivery{URL: receiver.URL, Secret: []byte("s")}), "307")
}

// A process that has just started decides on sagas before it has read what webhooks want.
func TestNoEventIsLostBeforeTheWebhooksAreRead(t *testing.T) {
	t.Parallel()
	store := webhookStore(t, record.Webhook{Name: "pager", URL: "http://x", Events: []string{"saga.stuck"}})
	d := operate.NewDeliveries(operate.WebhookConfig{Webhooks: store, Source: "/saga"})
	assert.True(t, d.Wants("saga.stuck"))
	assert.True(t, d.Wants("saga.completed"))
	require.NoError(t, d.Follow(t.Context()))
	assert.True(t, d.Wants("saga.stuck"))
	assert.False(t, d.Wants("saga.completed"))
	other := stuckEvent(1)
	other.Type = "saga.completed"
	publish(t, d, other, stuckEvent(2))
	hook, err := store.Webhook(t.Context(), "pager")
	require.NoError(t, err)
	assert.EqualValues(t, 1, hook.Waiting, "what no webhook wants makes no delivery")
}

func TestAReceiverThatHangsIsNamedAsSuch(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-ended }))
	t.Cleanup(receiver.Close)
	t.Cleanup(func() { close(ended) }) // before the server closes, which waits for its handlers
	sender := operate.NewSender(time.Now)
	t.Cleanup(sender.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := sender.Send(ctx, record.Delivery{URL: receiver.URL, Secret: []byte("s")})
	require.EqualError(t, err, "the receiver did not answer within 15s")
}
