package server

import (
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/demo"
	"github.com/saga-orchestrator/orchestrator/saga"
)

const soon, look = 10 * time.Second, 20 * time.Millisecond

// shown runs a demo until end is called or the test ends.
func shown(t *testing.T, file string) (s *Server, c *client.Client, end func()) {
	t.Helper()
	s, err := Open(t.Context(), Config{Listen: "127.0.0.1:0", Auth: "none", Demo: true, File: file})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { require.NoError(t, s.Run(ctx)) })
	end = func() { cancel(); running.Wait() }
	t.Cleanup(func() { end(); http.DefaultClient.CloseIdleConnections() })
	return s, client.New(client.Config{Server: s.URL()}), end
}

// group waits until a group has at least so many sagas, and returns it.
func group(t *testing.T, c *client.Client, code string, sagas int64) (found resource.Group) {
	t.Helper()
	require.Eventually(t, func() bool {
		groups, err := c.Groups(t.Context(), "order")
		require.NoError(t, err)
		for _, g := range groups.Items {
			if string(g.ErrorCode) == code && g.Count >= sagas {
				found = g
				return true
			}
		}
		return false
	}, soon, look, code)
	return found
}

// act carries out an action on the sagas of a group and returns it when it has ended.
func act(t *testing.T, c *client.Client, g resource.Group, request resource.BulkRequest) resource.BulkAction {
	t.Helper()
	var err error
	request.Reason = "a test"
	request.Filter, err = json.Marshal(g.Filter)
	require.NoError(t, err)
	action, err := c.ActOnSagas(t.Context(), request)
	require.NoError(t, err)
	action, err = c.BulkAction(t.Context(), action.ID, soon)
	require.NoError(t, err)
	require.Equal(t, "completed", action.Status)
	return action
}

// until waits until the saga has the status.
func until(t *testing.T, c *client.Client, id string, status saga.Status) {
	t.Helper()
	var last resource.Saga
	require.Eventually(t, func() bool {
		var err error
		last, err = c.Saga(t.Context(), id)
		require.NoError(t, err)
		return last.Status == status
	}, soon, look, "%s: %+v", id, last)
}

func TestTheDemoHasAGroupOfStuckSagasToRepair(t *testing.T) {
	t.Parallel()
	_, c, _ := shown(t, "")
	g := group(t, c, "address_refused", 12)
	assert.Equal(t, saga.RetriesExhausted, g.Reason)
	assert.Equal(t, "send-receipt", string(g.Step))
	assert.GreaterOrEqual(t, act(t, c, g, resource.BulkRequest{Action: "patch_data", Patch: json.RawMessage(`{"email":"desk@example.com"}`)}).Done, 12)
	act(t, c, g, resource.BulkRequest{Action: "retry"})
	until(t, c, g.Example, saga.Completed)
	require.Eventually(t, func() bool {
		stuck, err := c.Sagas(t.Context(), client.Filter{NeedsAttention: true, ErrorCode: new("address_refused")}, client.Page{})
		require.NoError(t, err)
		return len(stuck.Items) == 0
	}, soon, look)
}

// A definition of the user with the demo's name keeps the demo from starting, and the server knows it.
func TestADemoDoesNotStartOverAnotherDefinition(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.db")
	s, err := Open(t.Context(), Config{Listen: "127.0.0.1:0", Auth: "none", File: file})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(t, s.Run(ctx)) })
	_, err = client.New(client.Config{Server: s.URL()}).PutDefinition(t.Context(), "order", json.RawMessage(`{"steps":[{"name":"a","command":"b.c"}]}`))
	cancel()
	running.Wait()
	require.NoError(t, err)
	s, c, _ := shown(t, file)
	assert.False(t, s.DemoStarts(t.Context()))
	list, err := c.Sagas(t.Context(), client.Filter{}, client.Page{})
	require.NoError(t, err)
	assert.Empty(t, list.Items)
	other, _, _ := shown(t, "")
	assert.True(t, other.DemoStarts(t.Context()))
}

// Whatever an operator may meet is there within seconds.
func TestTheDemoShowsEveryKindOfTrouble(t *testing.T) {
	t.Parallel()
	_, c, _ := shown(t, "")
	assert.Equal(t, saga.CompensationExhausted, group(t, c, "account_closed", 2).Reason)
	var letters []resource.DeadLetter
	require.Eventually(t, func() bool {
		unknown, err := c.Sagas(t.Context(), client.Filter{AttentionReasons: []saga.AttentionReason{saga.PivotUnknown}}, client.Page{})
		require.NoError(t, err)
		list, err := c.DeadLetters(t.Context(), client.Page{})
		require.NoError(t, err)
		letters = list.Items
		return len(unknown.Items) >= 2 && len(letters) > 0
	}, soon, look)
	for _, status := range []saga.Status{saga.Scheduled, saga.Compensated, saga.Completed} {
		require.Eventually(t, func() bool {
			list, err := c.Sagas(t.Context(), client.Filter{Statuses: []saga.Status{status}}, client.Page{})
			require.NoError(t, err)
			return len(list.Items) > 0
		}, soon, look, status)
	}
	lost := slices.IndexFunc(letters, func(l resource.DeadLetter) bool { return strings.Contains(l.CommandID, "reserve-inventory") })
	require.GreaterOrEqual(t, lost, 0)
	assert.Equal(t, "inventory", letters[lost].Queue)
	assert.Equal(t, "rejected", letters[lost].Reason)
	_, err := c.Redrive(t.Context(), letters[lost].ID, "a test")
	require.NoError(t, err)
	until(t, c, letters[lost].SagaID, saga.Completed)
}

func TestAFaultOfTheDemoMakesSagasStuckUntilItIsRepaired(t *testing.T) {
	t.Parallel()
	s, c, _ := shown(t, "")
	require.NoError(t, s.demo.SetFault(demo.EmailFails, true))
	g := group(t, c, "smtp_unavailable", 2)
	require.NoError(t, s.demo.SetFault(demo.EmailFails, false))
	act(t, c, g, resource.BulkRequest{Action: "retry"})
	until(t, c, g.Example, saga.Completed)

	require.NoError(t, s.demo.SetFault(demo.PaymentsFail, true))
	require.Eventually(t, func() bool {
		list, err := c.Sagas(t.Context(), client.Filter{Statuses: []saga.Status{saga.Compensating, saga.Compensated}}, client.Page{})
		require.NoError(t, err)
		return slices.ContainsFunc(list.Items, func(s resource.Saga) bool { return s.Failure != nil && s.Failure.Code == "provider_unavailable" })
	}, 2*soon, look)
}

// A demo that starts again on the same file finds its stuck sagas and does not add as many again.
func TestADemoThatStartsAgainAddsNoSecondGroup(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/state.db"
	_, c, end := shown(t, file)
	before := group(t, c, "address_refused", 12)
	end()
	_, c, _ = shown(t, file)
	require.Eventually(t, func() bool {
		list, err := c.Sagas(t.Context(), client.Filter{Statuses: []saga.Status{saga.Scheduled}}, client.Page{})
		require.NoError(t, err)
		return len(list.Items) == 2 // the opening of each run has one
	}, soon, look)
	assert.LessOrEqual(t, group(t, c, "address_refused", 10).Count, before.Count+1)
}
