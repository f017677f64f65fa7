package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	neturl "net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/server"
)

// limited returns the URL of a new user of the broker who may configure and write these names, and read all.
func limited(t *testing.T, brokerURL, name, configure, write string) string {
	t.Helper()
	ctl := env.RabbitMQControl(t)
	run := func(arguments ...string) {
		output, err := exec.CommandContext(context.WithoutCancel(t.Context()), ctl, append([]string{"-q"}, arguments...)...).CombinedOutput()
		require.NoError(t, err, "%s", output)
	}
	run("add_user", name, "secret-of-"+name)
	t.Cleanup(func() { run("delete_user", name) })
	run("set_permissions", name, configure, write, ".*")
	parsed, err := neturl.Parse(brokerURL)
	require.NoError(t, err)
	parsed.User = neturl.UserPassword(name, "secret-of-"+name)
	return parsed.String()
}

// declared returns the database of an installation that has declared its queues under the prefix, and has ended.
func declared(t *testing.T, brokerURL, prefix string) (database string) {
	t.Helper()
	database = env.Database(t)
	s, end := serving(t, server.Config{DatabaseURL: database, AMQPURL: brokerURL, AMQPPrefix: prefix, Migrate: true})
	ready(t, s) // so its queues are declared
	_, err := client.New(client.Config{Server: s.URL()}).PutDefinition(t.Context(), "taken", json.RawMessage(`{"steps":[{"name":"a","command":"work.a"}]}`))
	require.NoError(t, err)
	end()
	return database
}

// A broker that objects can be reached: neither the network nor time is the matter, and an operator needs its words.
func TestWhyNamesWhatTheBrokerObjectsTo(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "work")
	_, empty := env.Broker(t, "work")
	database := declared(t, url, prefix)
	for name, c := range map[string]struct {
		config server.Config
		broker string   // what readyz calls the broker
		why    []string // what why says
	}{
		"the prefix of another installation": {
			server.Config{DatabaseURL: env.Database(t), AMQPURL: url, AMQPPrefix: prefix},
			"the prefix belongs to another installation",
			[]string{"published: the prefix belongs to another installation. Choose another --amqp-prefix, or delete the queue " + prefix + ".installation"},
		},
		"no right to configure": {
			server.Config{DatabaseURL: env.Database(t), AMQPURL: limited(t, url, empty+"-reader", "^$", ".*"), AMQPPrefix: empty},
			"the broker refuses the user: ACCESS_REFUSED - access to queue '" + empty + ".installation'",
			[]string{"published: the broker refuses the user: ACCESS_REFUSED - access to queue", "rights to configure, write and read what begins with " + empty},
		},
		"no right to write": {
			server.Config{DatabaseURL: database, AMQPURL: limited(t, url, prefix+"-reader", ".*", "^$"), AMQPPrefix: prefix},
			"the broker refuses the user: ACCESS_REFUSED - access to",
			[]string{"published: the broker refuses the user: ACCESS_REFUSED - access to", "rights to configure"},
		},
		"a wrong password": {
			server.Config{
				DatabaseURL: env.Database(t), AMQPPrefix: empty,
				AMQPURL: strings.Replace(limited(t, url, prefix+"-wrong", ".*", ".*"), ":secret-of", ":not-the-secret-of", 1),
			},
			"the broker refuses the user",
			[]string{"published: the broker refuses the user: ", "Check the user and the password of --amqp-url"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.config.Migrate = true
			s := embedded(t, c.config)
			orchestrator := client.New(client.Config{Server: s.URL()})
			_, err := orchestrator.PutDefinition(t.Context(), "taken", json.RawMessage(`{"steps":[{"name":"a","command":"work.a"}]}`))
			require.NoError(t, err)
			started, err := orchestrator.Start(t.Context(), client.StartRequest{Definition: "taken", Data: json.RawMessage(`{}`)})
			require.NoError(t, err)
			var ready resource.HealthDetails
			require.Eventually(t, func() bool {
				_, body := request(t, http.MethodGet, s.URL()+"/readyz?verbose", "")
				require.NoError(t, json.Unmarshal([]byte(body), &ready))
				return strings.HasPrefix(ready.Checks["broker"], c.broker) && strings.HasPrefix(ready.Connections["publish"], c.broker)
			}, time.Minute, 20*time.Millisecond, "%s", &lazy{&ready})
			why, err := orchestrator.Why(t.Context(), started.ID)
			require.NoError(t, err)
			require.Equal(t, resource.CauseNotPublished, why.Cause)
			for _, words := range c.why {
				require.Contains(t, why.Message, words)
			}
			require.NotContains(t, ready.Checks["broker"], "user '", "anyone may read it")
			shown, err := json.Marshal([]any{ready, why})
			require.NoError(t, err)
			require.NotContains(t, string(shown), "unreachable")
			require.NotContains(t, string(shown), "secret-of")
		})
	}
}

func TestWhyTheBrokerRefusesToDeclareAQueue(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "work", "more")
	s := embedded(t, server.Config{
		DatabaseURL: declared(t, url, prefix), AMQPURL: limited(t, url, prefix+"-reader", "^$", ".*"), AMQPPrefix: prefix,
	})
	orchestrator := client.New(client.Config{Server: s.URL()})
	_, err := orchestrator.PutDefinition(t.Context(), "taken", json.RawMessage(`{"steps":[{"name":"a","command":"more.a"}]}`))
	require.NoError(t, err)
	started, err := orchestrator.Start(t.Context(), client.StartRequest{Definition: "taken", Data: json.RawMessage(`{}`)})
	require.NoError(t, err)
	var why resource.Why
	require.Eventually(t, func() bool {
		why, err = orchestrator.Why(t.Context(), started.ID)
		require.NoError(t, err)
		return strings.Contains(why.Message, "queue more and did not declare it: the broker refuses the user: ACCESS_REFUSED")
	}, time.Minute, 20*time.Millisecond, "%s", &lazy{&why})
	require.Equal(t, resource.CauseUnroutable, why.Cause)
	require.Contains(t, why.Message, "rights to configure")
	require.NotContains(t, why.Message, "Register the definition again")
}

// Without the right to read, replies stay in their queue, and every saga would wait for them.
func TestReadinessNamesAQueueThatCannotBeConsumed(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "work")
	user := prefix + "-writer"
	own := limited(t, url, user, ".*", ".*")
	permit := func(read string) {
		command := exec.CommandContext(t.Context(), env.RabbitMQControl(t), "-q", "set_permissions", user, ".*", ".*", read)
		output, err := command.CombinedOutput()
		require.NoError(t, err, "%s", output)
	}
	permit("installation$") // enough to begin
	s := embedded(t, server.Config{DatabaseURL: declared(t, url, prefix), AMQPURL: own, AMQPPrefix: prefix})
	var details resource.HealthDetails
	require.Eventually(t, func() bool {
		status, body := request(t, http.MethodGet, s.URL()+"/readyz?verbose", "")
		require.NoError(t, json.Unmarshal([]byte(body), &details))
		return status == http.StatusServiceUnavailable &&
			strings.HasPrefix(details.Connections["consume "+prefix+".replies"], "the broker refuses the user: ACCESS_REFUSED")
	}, time.Minute, 20*time.Millisecond, "%s", &lazy{&details})
	permit(".*")
	ready(t, s)
}
