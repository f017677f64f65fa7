package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/server"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// users makes RabbitMQ users by the script of deploy/rabbitmq.
type users struct {
	t           *testing.T
	ctl         string
	url, prefix string
}

// add returns the URL of a new user. The arguments of the script follow its kind and the user's name.
func (u users) add(kind string, arguments ...string) (name, brokerURL string) {
	u.t.Helper()
	name = u.prefix + "-" + kind + "-" + strings.Join(arguments, "-")
	script := exec.CommandContext(u.t.Context(), "../deploy/rabbitmq/users.sh", append([]string{kind, name}, arguments...)...)
	script.Env = append(script.Environ(), "RABBITMQCTL="+u.ctl, "PREFIX="+u.prefix)
	script.Stdin = strings.NewReader("secret-of-" + name + "\n")
	output, err := script.CombinedOutput()
	require.NoError(u.t, err, "%s", output)
	u.t.Cleanup(func() {
		_ = exec.CommandContext(context.WithoutCancel(u.t.Context()), u.ctl, "-q", "delete_user", name).Run()
	})
	parsed, err := url.Parse(u.url)
	require.NoError(u.t, err)
	parsed.User = url.UserPassword(name, "secret-of-"+name)
	return name, parsed.String()
}

// channel opens a channel of a user.
func channel(t *testing.T, brokerURL string) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(brokerURL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	opened, err := conn.Channel()
	require.NoError(t, err)
	return opened
}

// work runs a worker until the test ends.
func work(t *testing.T, brokerURL, prefix, queue, command string) {
	t.Helper()
	worker := steps.NewWorker(queue, steps.Config{})
	steps.Handle(worker, command, func(context.Context, steps.Command[map[string]any]) (map[string]any, error) {
		return map[string]any{queue: "done"}, nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() {
		_ = worker.Run(ctx, steps.AMQP(steps.AMQPConfig{URL: brokerURL, Prefix: prefix, SendUserID: true}))
	})
	t.Cleanup(func() { cancel(); working.Wait() })
}

// Users with the least rights work; each of the things that the README says they cannot do is tried, and so is what only
// the lists of repliers prevent.
func TestUsersWithTheLeastRightsOnRabbitMQ(t *testing.T) {
	t.Parallel()
	brokerURL, prefix := env.Broker(t, "payments", "inventory")
	u := users{t: t, ctl: env.RabbitMQControl(t), url: brokerURL, prefix: prefix}
	_, own := u.add("orchestrator")
	payments, paymentsURL := u.add("worker", "payments")
	inventory, inventoryURL := u.add("worker", "inventory")
	s, _ := serving(t, server.Config{
		DatabaseURL: env.Database(t), AMQPURL: own, AMQPPrefix: prefix, Migrate: true,
		Repliers: map[string][]string{"payments": {payments}, "inventory": {inventory}},
	})
	ready(t, s)
	status, answer := request(t, http.MethodPut, s.URL()+"/v1/definitions/order",
		`{"steps":[{"name":"reserve","command":"inventory.reserve"},{"name":"charge","command":"payments.charge","timeout":"5m"}]}`)
	require.Equal(t, http.StatusCreated, status, answer)
	work(t, inventoryURL, prefix, "inventory", "inventory.reserve")
	status, answer = request(t, http.MethodPost, s.URL()+"/v1/sagas", `{"definition":"order"}`)
	require.Equal(t, http.StatusCreated, status, answer)
	var started resource.Saga
	require.NoError(t, json.Unmarshal([]byte(answer), &started))
	now := func() (found resource.Saga) {
		_, answer := request(t, http.MethodGet, s.URL()+"/v1/sagas/"+started.ID, "")
		require.NoError(t, json.Unmarshal([]byte(answer), &found))
		return found
	}
	require.Eventually(t, func() bool { return now().Steps[1].Status == "running" }, patience, 50*time.Millisecond, "inventory works")

	refused := map[string]func(*amqp.Channel) error{
		"read the queue of another service": func(c *amqp.Channel) error {
			_, err := c.Consume(prefix+".commands.payments", "", false, false, false, false, nil)
			return err
		},
		"read the replies": func(c *amqp.Channel) error {
			_, _, err := c.Get(prefix+".replies", false)
			return err
		},
		"declare a queue": func(c *amqp.Channel) error {
			_, err := c.QueueDeclare(prefix+".mine", false, true, true, false, nil)
			return err
		},
		"delete its queue": func(c *amqp.Channel) error {
			_, err := c.QueueDelete(prefix+".commands.inventory", false, false, false)
			return err
		},
		"bind its queue to the commands of another service": func(c *amqp.Channel) error {
			return c.QueueBind(prefix+".commands.inventory", "payments", prefix+".commands", false, nil)
		},
	}
	for what, try := range refused {
		err := try(channel(t, inventoryURL))
		require.Error(t, err, what)
		assert.Contains(t, err.Error(), "403", what)
	}

	forge := func(user string) {
		id := started.ID + "/charge/execute/1"
		require.NoError(t, channel(t, inventoryURL).PublishWithContext(t.Context(), "", prefix+".replies", false, false, amqp.Publishing{
			CorrelationId: id, UserId: user, ContentType: "application/json", Body: []byte(`{"status":"succeeded","output":{"forged":true}}`),
		}))
	}
	forge("")
	forge(inventory)
	letters := func() []resource.DeadLetter {
		return list[resource.DeadLetter](t, s.URL()+"/v1/dead-letters?reason=user_not_allowed")
	}
	require.Eventually(t, func() bool { return len(letters()) == 2 }, patience, 50*time.Millisecond)
	for _, letter := range letters() {
		assert.Equal(t, started.ID, letter.SagaID)
		assert.Contains(t, []string{
			"the reply has no user_id, which replies to commands of queue payments need",
			`user "` + inventory + `" may not reply to commands of queue payments`,
		}, letter.Message)
	}
	assert.Equal(t, "running", string(now().Steps[1].Status), "the forged replies changed nothing")
	assert.NotContains(t, string(now().Data), "forged")

	work(t, paymentsURL, prefix, "payments", "payments.charge")
	require.Eventually(t, func() bool { return now().Status == "completed" }, patience, 50*time.Millisecond)
	assert.JSONEq(t, `{"inventory":"done","payments":"done"}`, string(now().Data))
}

// RabbitMQ itself refuses the name of another user, so a user_id can be trusted.
func TestRabbitMQVerifiesTheUserID(t *testing.T) {
	t.Parallel()
	brokerURL, prefix := env.Broker(t, "payments")
	u := users{t: t, ctl: env.RabbitMQControl(t), url: brokerURL, prefix: prefix}
	_, paymentsURL := u.add("worker", "payments")
	c := channel(t, paymentsURL)
	closed := c.NotifyClose(make(chan *amqp.Error, 1))
	require.NoError(t, c.PublishWithContext(t.Context(), "", prefix+".replies", false, false, amqp.Publishing{UserId: "guest", Body: []byte("{}")}))
	select {
	case err := <-closed:
		assert.Equal(t, amqp.PreconditionFailed, err.Code)
	case <-time.After(patience):
		require.FailNow(t, "the broker took a forged user_id")
	}
}

func TestListsOfRepliersAreChecked(t *testing.T) {
	t.Parallel()
	for want, lists := range map[string]map[string][]string{
		"want 1 to 100 users":                       {"payments": nil},
		"the name of a user must have 1 to 128":     {"payments": {""}},
		"the name of a queue must have 1 to 128":    {"": {"a"}},
		"repliers of queue payments: the name of a": {"payments": {strings.Repeat("a", 129)}},
	} {
		require.ErrorContains(t, server.Config{Auth: "none", Listen: "127.0.0.1:0", Repliers: lists}.Validate(), want)
	}
}
