package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/server"
)

// family is an orchestrator with a parent definition, whose second step starts a child.
type family struct {
	t *testing.T
	*client.Client
}

func newFamily(t *testing.T, config server.Config) family {
	t.Helper()
	config.Listen, config.Auth = "127.0.0.1:0", "none"
	s, err := server.Open(t.Context(), config)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(t, s.Run(ctx)) })
	t.Cleanup(func() { stop(); running.Wait() })
	f := family{t, client.New(client.Config{Server: s.URL()})}
	f.define("shipping", `{"steps":[{"name":"load","signal":"loaded"},{"name":"drive","signal":"arrived"}]}`)
	f.define("order", `{"steps":[{"name":"ship","saga":"shipping","input":{"order":"/id"},"output_as":"shipment"},{"name":"approval","signal":"approved"}]}`)
	return f
}

// families runs a test on both stores.
func families(t *testing.T, test func(f family)) {
	t.Helper()
	familiesWith(t, server.Config{}, test)
}

func familiesWith(t *testing.T, config server.Config, test func(f family)) {
	t.Helper()
	t.Parallel()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		test(newFamily(t, config))
	})
	t.Run("on Postgres and RabbitMQ", func(t *testing.T) {
		t.Parallel()
		config := config
		config.DatabaseURL, config.Migrate = env.Database(t), true
		config.AMQPURL, config.AMQPPrefix = env.Broker(t, "work")
		test(newFamily(t, config))
	})
}

func (f family) define(name, body string) {
	f.t.Helper()
	_, err := f.PutDefinition(f.t.Context(), name, json.RawMessage(body))
	require.NoError(f.t, err)
}

// refusedWith puts a definition that must be refused with that code.
func (f family) refusedWith(code, name, body string) {
	f.t.Helper()
	_, err := f.PutDefinition(f.t.Context(), name, json.RawMessage(body))
	problem, is := errors.AsType[*client.Problem](err)
	require.True(f.t, is, "%v", err)
	require.Equal(f.t, code, problem.Code)
}

func (f family) until(id string, wanted func(resource.Saga) bool) (found resource.Saga) {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		var err error
		found, err = f.Saga(f.t.Context(), id)
		require.NoError(f.t, err)
		return wanted(found)
	}, time.Minute, 10*time.Millisecond, "%s", &lazy{&found})
	return found
}

type lazy struct{ value any }

func (l *lazy) String() string { text, _ := json.Marshal(l.value); return string(text) }

func (f family) give(id, signal, output string) {
	f.t.Helper()
	_, err := f.Signal(f.t.Context(), id, signal, client.SignalOptions{Output: json.RawMessage(output)})
	require.NoError(f.t, err)
}

// begin starts a parent and returns it with its running child.
func (f family) begin() (parent, child resource.Saga) {
	f.t.Helper()
	parent, err := f.Start(f.t.Context(), client.StartRequest{Definition: "order", Data: json.RawMessage(`{"id":"42"}`)})
	require.NoError(f.t, err)
	require.Len(f.t, parent.Children, 1)
	require.Eventually(f.t, func() bool {
		child, err = f.Saga(f.t.Context(), parent.Children[0])
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	require.Equal(f.t, &resource.SagaParent{Saga: parent.ID, Step: "ship"}, child.Parent)
	require.JSONEq(f.t, `{"order":"42"}`, string(child.Data))
	return parent, child
}

func compensated(s resource.Saga) bool { return s.Status == saga.Compensated }

func TestRule23AChildCompletesItsStepAndIsCompensatedWithIt(t *testing.T) {
	families(t, func(f family) {
		t := f.t
		parent, child := f.begin()
		why, err := f.Why(t.Context(), parent.ID)
		require.NoError(t, err)
		assert.Equal(t, resource.CauseWaitingForChild, why.Cause)
		assert.NotNil(t, why.NextAutomatic)
		_, err = f.Compensate(t.Context(), child.ID, client.ActionOptions{Reason: "no"})
		problem, is := errors.AsType[*client.Problem](err)
		require.True(t, is)
		assert.Equal(t, 409, problem.Status)
		list, err := f.Sagas(t.Context(), client.Filter{Parent: &parent.ID}, client.Page{})
		require.NoError(t, err)
		require.Len(t, list.Items, 1)
		assert.Equal(t, child.ID, list.Items[0].ID)

		f.give(child.ID, "loaded", `{"truck":7}`)
		f.give(child.ID, "arrived", `{}`)
		done := f.until(parent.ID, func(s resource.Saga) bool { return s.Steps[0].Status == saga.StepSucceeded })
		assert.JSONEq(t, `{"id":"42","shipment":{"order":"42","truck":7}}`, string(done.Data))
		_, err = f.Signal(t.Context(), parent.ID, "approved", client.SignalOptions{Error: &resource.SignalError{Code: "declined"}})
		require.NoError(t, err)
		f.until(parent.ID, compensated)
		f.until(child.ID, compensated)
	})
}

func TestRule23AParentTurnsItsRunningChildBack(t *testing.T) {
	families(t, func(f family) {
		t := f.t
		parent, child := f.begin()
		_, err := f.Compensate(t.Context(), parent.ID, client.ActionOptions{Reason: "a change of mind"})
		require.NoError(t, err)
		f.until(child.ID, compensated)
		ended := f.until(parent.ID, compensated)
		assert.Equal(t, saga.StepFailed, ended.Steps[0].Status)
	})
}

func TestRule23AnAbandonedChildIsOpenedAgain(t *testing.T) {
	families(t, func(f family) {
		t := f.t
		parent, child := f.begin()
		f.give(child.ID, "loaded", `{}`)
		_, err := f.Abandon(t.Context(), child.ID, client.ActionOptions{Reason: "lost"})
		require.NoError(t, err)
		f.until(parent.ID, compensated)
		f.until(child.ID, compensated)
	})
}

// The child still reports to it, and is compensated through it.
func TestRule23AnAbandonedParentStaysUntilItsChildHasEnded(t *testing.T) {
	familiesWith(t, server.Config{RetainUndone: time.Millisecond, RetentionInterval: 20 * time.Millisecond}, func(f family) {
		t := f.t
		parent, child := f.begin()
		abandon := func(id string) {
			_, err := f.Abandon(t.Context(), id, client.ActionOptions{Reason: "lost"})
			require.NoError(t, err)
		}
		abandon(parent.ID)
		for range 2 { // a whole round comes between the deletions of two sagas
			alone, err := f.Start(t.Context(), client.StartRequest{Definition: "shipping"})
			require.NoError(t, err)
			abandon(alone.ID)
			require.Eventually(t, func() bool {
				_, err := f.Saga(t.Context(), alone.ID)
				return err != nil
			}, time.Minute, 10*time.Millisecond, "a saga without a parent is deleted")
		}
		f.give(child.ID, "loaded", `{}`)
		f.give(child.ID, "arrived", `{}`)
		late := f.until(parent.ID, func(s resource.Saga) bool { return s.Attention != nil })
		assert.Equal(t, saga.LateEffect, late.Attention.Reason)
	})
}

func TestDefinitionsOfChildrenAreChecked(t *testing.T) {
	families(t, func(f family) {
		t := f.t
		f.refusedWith("invalid_definition", "a", `{"steps":[{"name":"x","saga":"nothing"}]}`)
		f.refusedWith("invalid_definition", "shipping", `{"steps":[{"name":"x","saga":"order"}]}`)
		f.refusedWith("invalid_definition", "self", `{"steps":[{"name":"x","saga":"self"}]}`)
		f.refusedWith("invalid_definition", "b", `{"steps":[{"name":"x","saga":"shipping","compensation":"q.c"}]}`)
		f.define("paid", `{"steps":[{"name":"pay","signal":"paid","kind":"pivot"}]}`)
		f.refusedWith("child_has_pivot", "c", `{"steps":[{"name":"x","saga":"paid"}]}`)
		f.define("c", `{"steps":[{"name":"x","saga":"paid","kind":"pivot"}]}`)
		levels := []string{"l1", "l2", "l3", "l4", "l5", "l6", "l7", "l8"}
		f.define("l1", `{"steps":[{"name":"x","signal":"go"}]}`)
		for i, name := range levels[1:] {
			f.define(name, `{"steps":[{"name":"x","saga":"`+levels[i]+`"}]}`)
		}
		for i, name := range []string{"w2", "w3", "w4", "w5", "w6", "w7"} { // each definition is looked at once, however many steps start it
			below := append([]string{"l1"}, "w2", "w3", "w4", "w5", "w6")[i]
			var many []string
			for number := range saga.MaxSteps {
				many = append(many, fmt.Sprintf(`{"name":"s%d","saga":%q}`, number, below))
			}
			f.define(name, `{"steps":[`+strings.Join(many, ",")+`]}`)
		}
		f.refusedWith("invalid_definition", "l9", `{"steps":[{"name":"x","saga":"l8"}]}`)

		f.define("shipping", `{"steps":[{"name":"load","signal":"loaded","kind":"pivot"}]}`)
		_, err := f.Start(t.Context(), client.StartRequest{Definition: "order"})
		problem, is := errors.AsType[*client.Problem](err)
		require.True(t, is, "%v", err)
		assert.Equal(t, "child_has_pivot", problem.Code)
		_, err = f.Start(t.Context(), client.StartRequest{Definition: "order", IdempotencyKey: "k1"})
		problem, is = errors.AsType[*client.Problem](err)
		require.True(t, is, "%v", err)
		assert.Equal(t, "child_has_pivot", problem.Code)
	})
}

func TestRule23LevelsOfSagasCompleteAndTurnBack(t *testing.T) {
	families(t, func(f family) {
		t := f.t
		f.define("l1", `{"steps":[{"name":"x","signal":"go"}]}`)
		f.define("l2", `{"steps":[{"name":"x","saga":"l1"}]}`)
		f.define("l3", `{"steps":[{"name":"x","saga":"l2"},{"name":"y","signal":"stop"}]}`)
		root, err := f.Start(t.Context(), client.StartRequest{Definition: "l3"})
		require.NoError(t, err)
		leaf := root
		for range 2 {
			require.Len(t, leaf.Children, 1)
			id := leaf.Children[0]
			require.Eventually(t, func() bool { leaf, err = f.Saga(t.Context(), id); return err == nil }, time.Minute, 10*time.Millisecond)
		}
		f.give(leaf.ID, "go", `{"deep":1}`)
		done := f.until(root.ID, func(s resource.Saga) bool { return s.Steps[1].Status == saga.StepRunning })
		assert.JSONEq(t, `{"deep":1}`, string(done.Data))
		_, err = f.Signal(t.Context(), root.ID, "stop", client.SignalOptions{Error: &resource.SignalError{Code: "no"}})
		require.NoError(t, err)
		f.until(root.ID, compensated)
		f.until(leaf.ID, compensated)
	})
}
