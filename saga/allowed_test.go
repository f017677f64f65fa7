package saga_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// situation is one row of the table of actions that an operator may take.
type situation struct {
	reach   func(t *testing.T) *conversation
	status  saga.Status
	allowed []saga.ActionName
}

func situations() map[string]situation {
	toBegin := []saga.ActionName{saga.ActionCompensate, saga.ActionPause, saga.ActionAbandon}
	toGoBack := append([]saga.ActionName{saga.ActionRewind}, toBegin...)
	toWatch := []saga.ActionName{saga.ActionPause, saga.ActionAbandon}
	toRepair := []saga.ActionName{saga.ActionRetry, saga.ActionSkip, saga.ActionPatchData, saga.ActionAbandon}
	toGoOn := []saga.ActionName{saga.ActionResume, saga.ActionPatchData, saga.ActionAbandon}
	return map[string]situation{
		"scheduled":                    {before(committing), saga.Scheduled, toBegin},
		"running, before its pivot":    {after(committing), saga.Running, toGoBack},
		"running, its pivot out":       {after(committing, successOf("a")), saga.Running, toGoBack},
		"running, past its pivot":      {after(committing, successOf("a", "p")), saga.Running, toWatch},
		"running, retriable alone":     {after(retriables), saga.Running, toWatch},
		"running, without a pivot":     {after(diamond), saga.Running, toGoBack},
		"running, some step exhausted": {after(beside, refusalOf("r")), saga.Running, toWatch},
		"compensating":                 {after(committing, successOf("a"), refusalOf("p")), saga.Compensating, toWatch},
		"compensating, some exhausted": {after(diamond, successOf("a", "b", "c"), refusalOf("d"), refusalOf("b")), saga.Compensating, toWatch},
		"paused, before its start":     {before(committing, pause), saga.Paused, slices.Concat(toGoOn, []saga.ActionName{saga.ActionCompensate})},
		"paused, before its pivot":     {after(committing, pause), saga.Paused, slices.Concat(toGoOn, []saga.ActionName{saga.ActionCompensate, saga.ActionRewind})},
		"rewinding":                    {after(committing, rewindTo("a")), saga.Compensating, toBegin},
		"rewinding, paused":            {after(committing, rewindTo("a"), pause), saga.Paused, slices.Concat(toGoOn, []saga.ActionName{saga.ActionCompensate})},
		"rewinding, stuck":             {after(chained, successOf("a"), rewindTo("a"), refusalOf("b"), refusalOf("a")), saga.Stuck, slices.Concat(toRepair, []saga.ActionName{saga.ActionCompensate})},
		"a rewind waits for the pivot": {after(committing, successOf("a"), rewindTo("a")), saga.Running, toBegin},
		"stuck: parked":                {after(parked, refusalOf("a")), saga.Stuck, slices.Concat(toRepair, []saga.ActionName{saga.ActionCompensate, saga.ActionRewind})},
		"paused, past its pivot":       {after(committing, successOf("a", "p"), pause), saga.Paused, toGoOn},
		"paused, going back":           {after(committing, successOf("a"), refusalOf("p"), pause), saga.Paused, toGoOn},
		"stuck: compensation":          {after(committing, successOf("a"), refusalOf("p"), refusalOf("a")), saga.Stuck, toRepair},
		"stuck: retries":               {after(committing, successOf("a", "p"), refusalOf("r")), saga.Stuck, toRepair},
		"stuck: pivot unknown":         {after(committing, unknown), saga.Stuck, slices.Concat(toRepair, []saga.ActionName{saga.ActionCompensate})},
		"completed":                    {after(retriables, successOf("r", "u")), saga.Completed, nil},
		"compensated":                  {after(committing, refusalOf("a")), saga.Compensated, nil},
		"abandoned":                    {after(committing, abandon), saga.Abandoned, nil},
		"late effect":                  {after(committing, abandon, lateSuccessOf("a/execute/1")), saga.Abandoned, []saga.ActionName{saga.ActionCompensate, saga.ActionAcknowledge}},
		"late effect, no compensation": {
			after(committing, successOf("a"), abandon, lateSuccessOf("p/execute/1")), saga.Abandoned, []saga.ActionName{saga.ActionAcknowledge},
		},
	}
}

// after brings a started saga to a situation; before does so for a scheduled saga.
func after(def func() *saga.Builder, says ...func(*conversation)) func(t *testing.T) *conversation {
	return reached(def, says, func(*saga.Start) {})
}

func before(def func() *saga.Builder, says ...func(*conversation)) func(t *testing.T) *conversation {
	return reached(def, says, func(s *saga.Start) { s.StartAt = noon.Add(time.Hour) })
}

func reached(def func() *saga.Builder, says []func(*conversation), with func(*saga.Start)) func(t *testing.T) *conversation {
	return func(t *testing.T) *conversation {
		t.Helper()
		c := begin(t, def(), with)
		for _, say := range says {
			say(c)
		}
		return c
	}
}

func pause(c *conversation)   { c.act(saga.ActionPause) }
func abandon(c *conversation) { c.act(saga.ActionAbandon) }

func unknown(c *conversation) {
	c.succeed("a")
	c.lose("p")
	c.retries("p")
	c.lose("p")
}

func successOf(steps ...string) func(*conversation) {
	return func(c *conversation) { c.succeed(steps...) }
}

func refusalOf(step string) func(*conversation) {
	return func(c *conversation) { c.refuse(step) }
}

func lateSuccessOf(command string) func(*conversation) {
	return func(c *conversation) { c.late(command, succeeded()) }
}

// beside returns two retriable steps that run in parallel.
func beside() *saga.Builder {
	return saga.New("order").Retriable("r", "q.r").Retriable("u", "q.u", saga.AtOnce())
}

func everyAction() []saga.ActionName {
	return []saga.ActionName{
		saga.ActionRetry, saga.ActionSkip, saga.ActionCompensate, saga.ActionAbandon, saga.ActionAcknowledge,
		saga.ActionPause, saga.ActionResume, saga.ActionPatchData, saga.ActionRewind,
	}
}

// chained returns two compensatable steps in sequence, with one attempt in each direction.
func chained() *saga.Builder { return chain("a", "b") }

func rewindTo(step string, with ...func(*saga.Action)) func(*conversation) {
	return func(c *conversation) {
		c.act(saga.ActionRewind, append(with, func(a *saga.Action) { a.To = step })...)
	}
}

// fitting adds what an action needs to be accepted.
func fitting(c *conversation, name saga.ActionName) func(*saga.Action) {
	return func(a *saga.Action) {
		if name == saga.ActionPatchData {
			a.Patch = json.RawMessage(`{"patched":true}`)
		}
		if name == saga.ActionRewind {
			a.To = c.is.Steps[0].Name
		}
		if name == saga.ActionSkip && c.is.Attention != nil {
			a.Step = c.is.Attention.Step
		}
	}
}

func TestTheAllowedActionsInEverySituation(t *testing.T) {
	t.Parallel()
	for name, row := range situations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := row.reach(t)
			c.expectStatus(row.status)
			c.expectAllowed(row.allowed...)
			for _, action := range everyAction() {
				c := row.reach(t)
				if slices.Contains(row.allowed, action) {
					c.act(action, fitting(c, action))
				} else {
					c.expectRefused(saga.RefusedNotApplicable, action, fitting(c, action))
				}
			}
		})
	}
}

func TestARefusalNamesTheStateOfTheSaga(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]struct {
		reach func(t *testing.T) *conversation
		ask   saga.ActionName
		words string
	}{
		"its attention":          {after(committing, unknown), saga.ActionPause, "stuck (pivot_unknown)"},
		"that it is past":        {after(committing, successOf("a", "p")), saga.ActionCompensate, "past its pivot"},
		"that a cancel waits":    {after(committing, successOf("a"), cancel), saga.ActionCompensate, "waits for its pivot"},
		"that it has ended":      {after(committing, abandon), saga.ActionResume, "abandoned"},
		"which action it is not": {after(committing, abandon), saga.ActionResume, "resume"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decision := says.reach(t).ask(says.ask)
			require.NotNil(t, decision.Refused)
			require.Equal(t, saga.RefusedNotApplicable, decision.Refused.Code)
			require.ErrorContains(t, decision.Refused, says.words)
		})
	}
}

func cancel(c *conversation) { c.act(saga.ActionCompensate) }

func TestAnActionIsRefusedAtAnotherRevision(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"))
	ifRevision := func(revision int64) func(*saga.Action) {
		return func(a *saga.Action) { a.IfRevision = revision }
	}
	seen := c.is.Revision
	c.succeed("a")
	c.expectRefused(saga.RefusedRevisionMoved, saga.ActionPause, ifRevision(seen))
	c.expectRefused(saga.RefusedRevisionMoved, saga.ActionRetry, ifRevision(seen)) // even if the action does not apply
	c.act(saga.ActionPause, ifRevision(c.is.Revision))
	c.expectStatus(saga.Paused)
}

func TestAnActionTakesEffectOnce(t *testing.T) {
	t.Parallel()
	c := begin(t, retriables())
	c.refuse("r")
	once := func(a *saga.Action) { a.ID, a.IfRevision = "the-same", c.is.Revision }
	c.act(saga.ActionRetry, once)
	c.expectOut("r/execute/2")
	c.refuse("r")
	c.ask(saga.ActionRetry, func(a *saga.Action) { a.ID, a.IfRevision = "the-same", 2 }) // the commit's outcome was unknown
	c.expectNoEffect()
	c.expectStatus(saga.Stuck)
	c.act(saga.ActionRetry)
	c.expectOut("r/execute/3")
}

func TestAnActionIsInTheHistoryWithItsActorAndReason(t *testing.T) {
	t.Parallel()
	for name, row := range situations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, action := range row.allowed {
				c := row.reach(t)
				decision := c.act(action, fitting(c, action))
				require.NotEmpty(t, decision.Entries)
				require.Equal(t, "ann", decision.Entries[0].Actor)
				require.Equal(t, "because", decision.Entries[0].Detail["reason"], action)
			}
		})
	}
}
