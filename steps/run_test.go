package steps_test

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/server"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// orchestrated runs an orchestrator until the test ends, after the workers that the test starts later.
func orchestrated(t *testing.T, config server.Config) (*server.Server, *client.Client) {
	t.Helper()
	config.Listen, config.Auth = "127.0.0.1:0", "none"
	s, err := server.Open(t.Context(), config)
	require.NoError(t, err)
	background(t, func(ctx context.Context) { assert.NoError(t, s.Run(ctx)) })
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return s, client.New(client.Config{Server: s.URL(), HTTP: &http.Client{Transport: transport}})
}

// voyage is the data of a saga with all kinds of steps.
type voyage struct {
	City     string            `json:"city"`
	Nights   int               `json:"nights"`
	Hotel    string            `json:"hotel,omitempty"`
	Car      string            `json:"car,omitempty"`
	Approval map[string]string `json:"approval,omitempty"`
	Ticket   string            `json:"ticket,omitempty"`
}

// agency has the functions of the steps, and remembers what they did.
type agency struct {
	mu   sync.Mutex
	done []string
}

func (a *agency) did(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done = append(a.done, what)
}

func (a *agency) list() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.done...)
}

func (a *agency) hotel(_ context.Context, v *voyage) error { v.Hotel = "h-" + v.City; return nil }

func (a *agency) checkOut(_ context.Context, v *voyage) error { a.did("cancel " + v.Hotel); return nil }
func (a *agency) car(_ context.Context, v *voyage) error      { v.Car = "c-" + v.City; return nil }
func (a *agency) giveBack(_ context.Context, v *voyage) error { a.did("cancel " + v.Car); return nil }

func (a *agency) ticket(_ context.Context, v *voyage) error {
	if v.Approval["by"] == "" {
		return steps.Fail("not_approved", "the approval has no name")
	}
	v.Ticket = "t-" + v.City
	return nil
}

func (a *agency) mail(_ context.Context, v *voyage) error { a.did("mail " + v.Ticket); return nil }

func (a *agency) voyage(wait time.Duration) *steps.Saga[voyage] {
	return steps.Define[voyage]("voyage").
		Step("hotel", a.hotel, a.checkOut, saga.OnQueue("hotels"), saga.AtOnce()).
		Step("car", a.car, a.giveBack, saga.AtOnce(), saga.When("data.nights > 1")).
		WaitForSignal("approval", "approve", saga.OutputAs("approval"), saga.After("hotel", "car"), saga.Timeout(wait)).
		Pivot("ticket", a.ticket).
		Retriable("mail", a.mail)
}

// approve gives the signal to the only saga with the key.
func approve(t *testing.T, c *client.Client, key, output string) {
	t.Helper()
	require.Eventually(t, func() bool {
		found, err := c.Sagas(t.Context(), client.Filter{Key: &key}, client.Page{})
		if err != nil || len(found.Items) != 1 {
			return false
		}
		_, err = c.Signal(t.Context(), found.Items[0].ID, "approve", client.SignalOptions{Output: json.RawMessage(output)})
		return assert.NoError(t, err)
	}, patience, 10*time.Millisecond)
}

func withKey(key string) steps.RunOption { return func(r *client.StartRequest) { r.Key = key } }

// runVoyages runs a voyage that completes, one whose pivot fails, and one whose approval does not come.
func runVoyages(t *testing.T, transport func(*server.Server) steps.Transport, config server.Config) {
	t.Helper()
	s, c := orchestrated(t, config)
	offices := &agency{}
	v := offices.voyage(time.Hour)
	_, err := v.Register(t.Context(), c)
	require.NoError(t, err)
	for _, queue := range []string{"hotels", "voyage"} { // each service is a process of its own
		background(t, func(ctx context.Context) { assert.NoError(t, v.Serve(ctx, transport(s), steps.Only(queue))) })
	}
	var approvals sync.WaitGroup
	defer approvals.Wait()
	approvals.Go(func() { approve(t, c, "rome", `{"by":"ada"}`) })
	done, err := v.Run(t.Context(), c, voyage{City: "rome", Nights: 2}, withKey("rome"))
	require.NoError(t, err)
	assert.Equal(t, voyage{
		City: "rome", Nights: 2, Hotel: "h-rome", Car: "c-rome", Ticket: "t-rome", Approval: map[string]string{"by": "ada"},
	}, done)

	approvals.Go(func() { approve(t, c, "oslo", `{}`) })
	done, err = v.Run(t.Context(), c, voyage{City: "oslo", Nights: 1}, withKey("oslo"))
	var failed *client.Failed
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, []string{"ticket", "not_approved", "the approval has no name"}, []string{failed.Step, failed.Code, failed.Message})
	assert.Equal(t, saga.Compensated, failed.Saga.Status)
	assert.Equal(t, "h-oslo", done.Hotel, "the data as the saga ended")
	assert.Equal(t, []string{"mail t-rome", "cancel h-oslo"}, offices.list(), "the car of one night was skipped")

	hurried, err := offices.voyage(time.Millisecond).Register(t.Context(), c)
	require.NoError(t, err)
	assert.Equal(t, 2, hurried.Version)
	_, err = v.Run(t.Context(), c, voyage{City: "bonn", Nights: 1})
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, "approval", failed.Step)
	assert.Equal(t, saga.CodeSignalTimeout, failed.Code)
}

func TestATypedSagaRunsInOneProcess(t *testing.T) {
	t.Parallel()
	runVoyages(t, func(s *server.Server) steps.Transport { return s.Transport() }, server.Config{})
}

func TestATypedSagaRunsOverRabbitMQ(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "hotels", "voyage")
	runVoyages(t, func(*server.Server) steps.Transport { return steps.AMQP(steps.AMQPConfig{URL: url, Prefix: prefix}) },
		server.Config{DatabaseURL: env.Database(t), AMQPURL: url, AMQPPrefix: prefix, Migrate: true})
}

func TestRunReportsASagaThatNeedsAnOperator(t *testing.T) {
	t.Parallel()
	s, c := orchestrated(t, server.Config{})
	stubborn := steps.Define[voyage]("stubborn").
		Pivot("ticket", func(context.Context, *voyage) error { return nil }).
		Retriable("mail", func(context.Context, *voyage) error { return steps.Fail("mail_refused", "no address") })
	_, err := stubborn.Run(t.Context(), c, voyage{})
	require.Error(t, err, "it is not registered")
	_, err = stubborn.Register(t.Context(), c)
	require.NoError(t, err)
	background(t, func(ctx context.Context) { assert.NoError(t, stubborn.Serve(ctx, s.Transport())) })
	_, err = stubborn.Run(t.Context(), c, voyage{})
	var unresolved *client.Unresolved
	require.ErrorAs(t, err, &unresolved)
	assert.Equal(t, "mail", unresolved.Step)
	assert.Equal(t, saga.RetriesExhausted, unresolved.Reason)
}

func TestRegisterTellsWhatDiffersFromTheRegisteredVersion(t *testing.T) {
	t.Parallel()
	_, c := orchestrated(t, server.Config{})
	offices := &agency{}
	first := offices.voyage(time.Hour)
	require.EqualError(t, first.Check(t.Context(), c), "definition voyage is not registered")
	made, err := first.Register(t.Context(), c)
	require.NoError(t, err)
	assert.Equal(t, steps.Registration{Version: 1, Created: true}, made)
	require.NoError(t, first.Check(t.Context(), c))
	again, err := first.Register(t.Context(), c)
	require.NoError(t, err)
	assert.Equal(t, steps.Registration{Version: 1}, again)

	second := offices.voyage(time.Minute).Deadline(48 * time.Hour)
	err = second.Check(t.Context(), c)
	require.EqualError(t, err, "definition voyage differs from its registered version 1:\n"+
		"  /deadline: registered nothing, here \"48h0m0s\"\n"+
		"  /steps/approval/timeout: registered \"1h0m0s\", here \"1m0s\"")
	var difference *steps.Difference
	require.ErrorAs(t, err, &difference)
	changed, err := second.Register(t.Context(), c)
	require.NoError(t, err)
	assert.Equal(t, steps.Registration{Version: 2, Created: true, Changes: difference.Changes}, changed)
	require.NoError(t, second.Check(t.Context(), c))
	require.Error(t, first.Check(t.Context(), c))
}

// byPointer encodes itself by a method of the pointer, as the steps encode it too.
type byPointer struct{ city string }

func (p *byPointer) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"city": p.city})
}

func (p *byPointer) UnmarshalJSON(content []byte) error {
	var members map[string]string
	err := json.Unmarshal(content, &members)
	p.city = members["city"]
	return err
}

func TestRunEncodesAndDecodesTheDataAsAStepDoes(t *testing.T) {
	t.Parallel()
	s, c := orchestrated(t, server.Config{})
	own := steps.Define[byPointer]("own").Pivot("go", func(_ context.Context, p *byPointer) error { p.city += "!"; return nil })
	_, err := own.Register(t.Context(), c)
	require.NoError(t, err)
	background(t, func(ctx context.Context) { assert.NoError(t, own.Serve(ctx, s.Transport())) })
	done, err := own.Run(t.Context(), c, byPointer{city: "rome"})
	require.NoError(t, err)
	assert.Equal(t, byPointer{city: "rome!"}, done)
}

func TestOperatorsSeeWhyAnOutputCouldNotBeSent(t *testing.T) {
	t.Parallel()
	s, c := orchestrated(t, server.Config{})
	var compensated atomic.Int64
	rated := steps.Define[unsendable]("rated").Step("rate", func(_ context.Context, data *unsendable) error {
		data.Rate = math.NaN()
		return nil
	}, func(context.Context, *unsendable) error { compensated.Add(1); return nil })
	_, err := rated.Register(t.Context(), c)
	require.NoError(t, err)
	background(t, func(ctx context.Context) { assert.NoError(t, rated.Serve(ctx, s.Transport())) })
	_, err = rated.Run(t.Context(), c, unsendable{})
	var failed *client.Failed
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, []string{"rate", saga.CodeInvalidOutput}, []string{failed.Step, failed.Code})
	assert.Equal(t, int64(1), compensated.Load(), "the step took effect")
	assert.Equal(t, 1, failed.Saga.Steps[0].Attempts, "and its effect is not repeated")
	letters, err := c.DeadLetters(t.Context(), client.Page{})
	require.NoError(t, err)
	require.Len(t, letters.Items, 1)
	letter, err := c.DeadLetter(t.Context(), letters.Items[0].ID)
	require.NoError(t, err)
	assert.Equal(t, saga.CodeInvalidOutput, letter.Reason)
	assert.Contains(t, letter.Text, "unsupported value: NaN")
}
