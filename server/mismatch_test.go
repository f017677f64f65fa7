package server_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/server"
)

func TestTheLogCallsAnExchangeWithOtherPropertiesAnExchange(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "work")
	database := declared(t, url, prefix)
	broker := channel(t, url)
	require.NoError(t, broker.ExchangeDelete(prefix+".events", false, false))
	require.NoError(t, broker.ExchangeDeclare(prefix+".events", "fanout", true, false, false, false, nil))
	_, err := broker.QueueDelete(prefix+".commands.work", false, false, false)
	require.NoError(t, err)
	_, err = broker.QueueDeclare(prefix+".commands.work", true, false, false, false, nil)
	require.NoError(t, err)
	log := &logged{}
	has := func(words string) bool { return strings.Contains(log.String(), words) }
	embedded(t, server.Config{DatabaseURL: database, AMQPURL: url, AMQPPrefix: prefix, Logger: slog.New(slog.NewTextHandler(log, nil))})
	require.Eventually(t, func() bool {
		return has(`msg="an existing exchange has different properties and is used unchanged" exchange=`+prefix+".events ") &&
			has(`msg="an existing queue has different properties and is used unchanged" queue=`+prefix+".commands.work ")
	}, time.Minute, 10*time.Millisecond)
}
