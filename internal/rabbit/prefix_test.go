package rabbit_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
)

func TestAPrefixThatMakesInvalidNamesIsRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"amq", "amq.", "amq.saga", strings.Repeat("p", 118), strings.Repeat("é", 59), "a b", " ", "\t", "a\x00b", "a\nb", "\xff", "\u00a0", "\u200b",
	} {
		err := rabbit.Config{URL: "amqp://localhost", Prefix: bad}.Validate()
		require.ErrorContains(t, err, "AMQP prefix", "%q", bad)
	}
	for _, good := range []string{"", "saga", "amqp", "amqx.y", "Amq.x", "a", "team-1.saga_2", strings.Repeat("p", 117), "größe"} {
		require.NoError(t, rabbit.Config{URL: "amqp://localhost", Prefix: good}.Validate(), "%q", good)
	}
}

func TestAnInvalidURLIsRefusedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"amqp://app:Sec@ret/99%zz@host/", "amqp://app:Sec%zzret@host", "amqp://app:Sec ret@host:5672/", "amqp://app:Sec#ret@host:x/",
		"amqp:5672//app:Secret@host:5672/", "amqp:app:Secret@host", "amqp://app:5/Secret@host:5672/", "amqp://app:5?Secret@host", "amqp://app:5#Secret@host",
		"http://app:Secret@host", "app:Secret@host", "amqp://app:Sec\nret@host", "amqp://app:Secret@host:99999999/",
	} {
		err := rabbit.Config{URL: url}.Validate()
		require.Error(t, err, url)
		for _, part := range []string{"Sec", "ret", "99", "zz"} {
			require.NotContains(t, err.Error(), part, url)
		}
		require.ErrorContains(t, err, "%XX")
	}
}
