package rabbit_test

import (
	"bytes"
	"context"
	"net/url"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/amqpproxy"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/authority"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// overTLS returns the URL of the broker behind TLS, with these parameters.
func overTLS(t *testing.T, a *authority.Authority, plain string, clients bool, parameters url.Values) string {
	t.Helper()
	parsed, err := url.Parse(plain)
	require.NoError(t, err)
	parsed.Host = a.Front(parsed.Host, clients)
	parsed.Scheme, parsed.RawQuery = "amqps", parameters.Encode()
	return parsed.String()
}

// Over TLS with a private authority everything is as without, also the mending of messages that the library refuses.
func TestOverTLS(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	plain := config.URL
	a := authority.New(t)
	cert, key := a.Pair()
	config.URL = overTLS(t, a, plain, true, url.Values{"cacertfile": {a.File}, "certfile": {cert}, "keyfile": {key}})
	b := connect(t, config, "payments")
	for _, receipt := range env.Receipts(t.Context(), b.Publish, commands("payments", 50)) {
		require.Equal(t, wire.Confirmed, receipt.Outcome, receipt.Reason)
	}
	var in inbox
	background(t, func(ctx context.Context) { b.ConsumeReplies(ctx, in.addAndAck) })
	amqpproxy.PublishHeader(t, plain, "", config.Prefix+".replies", 'A', bytes.Repeat([]byte{'V'}, 9000), amqp.Publishing{
		CorrelationId: "saga/step/execute/1", MessageId: "poison", Body: []byte(`{"status":"succeeded"}`),
	})
	messages, _ := in.await(t, 1)
	assert.Contains(t, messages[0].Damage, "headers: ")
}

func TestTLSThatCannotBeTrustedDoesNotConnect(t *testing.T) {
	t.Parallel()
	config := corner(t)
	a, other := authority.New(t), authority.New(t)
	cert, key := other.Pair()
	for name, u := range map[string]string{
		"an unknown authority":                overTLS(t, a, config.URL, false, nil),
		"another authority":                   overTLS(t, a, config.URL, false, url.Values{"cacertfile": {other.File}}),
		"no client certificate":               overTLS(t, a, config.URL, true, url.Values{"cacertfile": {a.File}}),
		"a client certificate of another one": overTLS(t, a, config.URL, true, url.Values{"cacertfile": {a.File}, "certfile": {cert}, "keyfile": {key}}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, rabbit.Config{URL: u, Prefix: config.Prefix})
			require.Never(t, func() bool { return b.Ready() == nil }, time.Second, 50*time.Millisecond)
		})
	}
}

func TestAURLWhoseFilesCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	a := authority.New(t)
	cert, _ := a.Pair()
	for fault, query := range map[string]string{
		"cacertfile": "cacertfile=/nowhere", "certfile and keyfile": "certfile=" + cert, "certfile": "certfile=" + a.File + "&keyfile=" + a.File,
	} {
		err := rabbit.Config{URL: "amqps://user:secret@localhost/?" + query}.Validate()
		require.ErrorContains(t, err, fault)
		assert.NotContains(t, err.Error(), "secret")
	}
}
