package client_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
)

// An orchestrator that has begun the bulk action finds it by the key, when the client sends the request again.
func TestABulkActionWhoseAnswerIsLostIsAskedForAgainUnderTheSameKey(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(context.Context, *client.Client, ...client.BulkOption) (resource.BulkAction, error){
		"sagas": func(ctx context.Context, c *client.Client, options ...client.BulkOption) (resource.BulkAction, error) {
			return c.ActOnSagas(ctx, resource.BulkRequest{Action: "pause", Reason: "x"}, options...)
		},
		"dead letters": func(ctx context.Context, c *client.Client, options ...client.BulkOption) (resource.BulkAction, error) {
			return c.ActOnDeadLetters(ctx, resource.LetterBulkRequest{Action: "discard", Reason: "x"}, options...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys := make(chan string, 4)
			served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				keys <- r.Header.Get("Idempotency-Key")
				if len(keys)%2 == 1 {
					panic(http.ErrAbortHandler) // the connection breaks
				}
				_, _ = w.Write([]byte(`{"id":"B1"}`))
			}))
			t.Cleanup(served.Close)
			c := client.New(client.Config{Server: served.URL, HTTP: served.Client(), Backoff: time.Millisecond})
			action, err := act(t.Context(), c)
			require.NoError(t, err)
			assert.Equal(t, "B1", action.ID)
			_, err = act(t.Context(), c, client.WithIdempotencyKey("k1"))
			require.NoError(t, err)
			first := <-keys
			assert.NotEmpty(t, first)
			assert.Equal(t, []string{first, "k1", "k1"}, []string{<-keys, <-keys, <-keys})
		})
	}
}

func TestADryRunHasNoIdempotencyKey(t *testing.T) {
	t.Parallel()
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header.Values("Idempotency-Key"))
		_, _ = w.Write([]byte(`{"matched":0}`))
	}))
	t.Cleanup(served.Close)
	_, err := client.New(client.Config{Server: served.URL}).DryRunOnSagas(t.Context(), resource.BulkRequest{})
	require.NoError(t, err)
}
