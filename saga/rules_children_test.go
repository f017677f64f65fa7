package saga_test

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

func shipping(options ...saga.StepOption) *saga.Builder {
	return saga.New("order").Step("a", "q.a", compensatedBy("a")).Child("ship", "shipping", options...).Step("b", "q.b")
}

// ends reports the end of the child of a step.
func (c *conversation) ends(step string, status saga.Status, with ...func(*saga.ChildEnded)) saga.Decision {
	c.t.Helper()
	ended := saga.ChildEnded{Step: step, Child: c.step(step).Child(), Status: status}
	for _, change := range with {
		change(&ended)
	}
	return c.hear(ended)
}

func childData(data string) func(*saga.ChildEnded) {
	return func(e *saga.ChildEnded) { e.Data = json.RawMessage(data) }
}

func TestRule23AStepStartsAChildAndTakesItsData(t *testing.T) {
	t.Parallel()
	c := begin(t, shipping(saga.Input(map[string]saga.Pointer{"order": "/id"}), saga.OutputAs("shipment")), startData(`{"id":"42"}`))
	c.succeed("a")
	require.Empty(t, c.last.Commands)
	require.Len(t, c.last.Messages, 1)
	start := c.last.Messages[0].Start
	require.Equal(t, saga.Parent{Saga: "s", Step: "ship", Level: 2}, start.Parent)
	require.JSONEq(t, `{"order":"42"}`, string(start.Data))
	_, err := ulid.ParseStrict(start.ID)
	require.NoError(t, err)
	c.expectSteps("a succeeded, ship running, b pending")
	c.ends("ship", saga.Completed, childData(`{"tracking":7}`))
	c.expectSteps("a succeeded, ship succeeded, b running")
	c.expectData(`{"id":"42","shipment":{"tracking":7}}`)
	require.False(t, c.ends("ship", saga.Completed).Changed, "once")
	c.refuse("b")
	c.expectSteps("a succeeded, ship compensating, b failed")
	require.Equal(t, start.ID, c.last.Messages[0].Unwind.ID)
	c.ends("ship", saga.Compensated)
	c.succeed("a")
	c.expectStatus(saga.Compensated)
}

func TestRule23ACompensatedChildFailsItsStepAndNothingIsLeft(t *testing.T) {
	t.Parallel()
	c := begin(t, shipping())
	c.succeed("a")
	c.ends("ship", saga.Compensated, func(e *saga.ChildEnded) { e.Failure = &saga.Failure{Code: "no_truck", Message: "none"} })
	c.expectFailure("ship", "no_truck")
	c.expectSteps("a compensating, ship failed, b pending")
}

func TestRule23AnAbandonedChildIsUnknownAndCompensated(t *testing.T) {
	t.Parallel()
	c := begin(t, shipping())
	c.succeed("a")
	c.ends("ship", saga.Abandoned)
	c.expectFailure("ship", saga.CodeChildAbandoned)
	c.expectSteps("a succeeded, ship compensating, b pending")
	c.ends("ship", saga.Abandoned)
	c.expectAttention(saga.CompensationExhausted, "ship")
	c.act(saga.ActionRetry)
	c.expectSteps("a succeeded, ship compensating, b pending")
	c.ends("ship", saga.Compensated)
	c.expectSteps("a compensating, ship compensated, b pending")
}

func TestRule23AParentThatTurnsBackTurnsItsChildBackAtOnce(t *testing.T) {
	t.Parallel()
	c := begin(t, shipping())
	c.succeed("a")
	c.act(saga.ActionCompensate)
	require.NotNil(t, c.last.Messages[0].Unwind)
	c.expectSteps("a succeeded, ship running, b pending")
	c.ends("ship", saga.Compensated)
	c.expectSteps("a compensating, ship failed, b pending")

	raced := begin(t, shipping())
	raced.succeed("a")
	raced.act(saga.ActionCompensate)
	raced.ends("ship", saga.Completed)
	raced.expectSteps("a succeeded, ship compensating, b pending")
	raced.ends("ship", saga.Compensated)
	raced.succeed("a")
	raced.expectStatus(saga.Compensated)
}

func TestRule23AChildThatCannotStartFailsItsStep(t *testing.T) {
	t.Parallel()
	c := begin(t, shipping())
	c.succeed("a")
	c.ends("ship", "", func(e *saga.ChildEnded) { e.Refused = &saga.ReplyError{Code: saga.CodeChildHasPivot, Message: "no"} })
	c.expectFailure("ship", saga.CodeChildHasPivot)
}

func TestRule23ARewoundStepStartsAnotherChild(t *testing.T) {
	t.Parallel()
	c := begin(t, shipping())
	c.succeed("a")
	first := c.step("ship").Child()
	c.ends("ship", saga.Completed)
	c.act(saga.ActionRewind, to("ship"))
	c.refuse("b")
	c.ends("ship", saga.Compensated)
	require.NotEqual(t, first, c.step("ship").Child())
	require.Equal(t, []string{first, c.step("ship").Child()}, c.step("ship").Children)
	require.False(t, c.hear(saga.ChildEnded{Step: "ship", Child: first, Status: saga.Completed}).Changed)
}

// asChild makes a saga a child of another.
func asChild(s *saga.Start) { s.Parent = &saga.Parent{Saga: "p", Step: "ship", Level: 2} }

func TestRule23AChildTellsItsParentHowItEnds(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"), asChild)
	c.expectRefused(saga.RefusedNotApplicable, saga.ActionCompensate)
	c.succeed("a", "b")
	c.expectStatus(saga.Completed)
	require.Equal(t, "ship", c.last.Messages[0].Ended.Step)
	first := c.last.Messages[0].ID
	c.hear(saga.Unwind{})
	c.expectStatus(saga.Compensating)
	c.succeed("b", "a")
	c.expectStatus(saga.Compensated)
	require.NotEqual(t, first, c.last.Messages[0].ID)
	require.False(t, c.hear(saga.Unwind{}).Changed)
}

func TestRule23AnAbandonedChildOpensAgain(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"), asChild)
	c.succeed("a")
	c.act(saga.ActionAbandon)
	c.hear(saga.Unwind{})
	c.expectSteps("a succeeded, b running")
	c.expectStatus(saga.Compensating)
	c.timeOut("b")
	c.expectSteps("a succeeded, b compensating")
	c.succeed("b", "a")
	c.expectStatus(saga.Compensated)
	require.NotNil(t, c.last.Messages[0].Ended)
}

// While a saga has ended, it ignores what its own child answers. Opened again, it asks once more.
func TestRule23AnAbandonedSagaThatOpensAgainAsksItsOwnChildAgain(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Child("ship", "shipping"), asChild)
	c.hear(saga.Unwind{})
	require.NotNil(t, c.last.Messages[0].Unwind)
	first := c.last.Messages[0].ID
	c.act(saga.ActionAbandon)
	require.False(t, c.ends("ship", saga.Compensated).Changed)
	c.hear(saga.Unwind{})
	require.Len(t, c.last.Messages, 1)
	require.NotNil(t, c.last.Messages[0].Unwind)
	require.NotEqual(t, first, c.last.Messages[0].ID)
	c.ends("ship", saga.Compensated)
	c.expectStatus(saga.Compensated)
}

func TestRule23AChildThatIsNoLongerWantedEndsAtOnce(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"), asChild, func(s *saga.Start) { s.Unwound = true })
	c.expectStatus(saga.Compensated)
	require.Empty(t, c.last.Commands)
	require.NotNil(t, c.last.Messages[0].Ended)
}

func TestRule23AParentLooksAfterItsChildNowAndThen(t *testing.T) {
	t.Parallel()
	c := begin(t, shipping())
	c.succeed("a")
	c.now = c.step("ship").DeadlineAt
	decision := c.wake()
	require.False(t, decision.Changed)
	require.Equal(t, []int{1}, decision.Looks)
	require.True(t, c.is.WakeAt.After(c.now))
}

func TestRule23AnEndThatIsReportedTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	at := func(revision int64) func(*saga.ChildEnded) {
		return func(e *saga.ChildEnded) { e.Revision = revision }
	}
	c := begin(t, shipping())
	c.succeed("a")
	c.ends("ship", saga.Abandoned, at(3))
	c.expectSteps("a succeeded, ship compensating, b pending")
	require.False(t, c.ends("ship", saga.Abandoned, at(3)).Changed, "the same end again is not that of the compensation")
	require.False(t, c.ends("ship", saga.Completed, at(2)).Changed, "a report that was overtaken")
	c.ends("ship", saga.Abandoned, at(5))
	c.expectAttention(saga.CompensationExhausted, "ship")
	c.act(saga.ActionRetry)
	c.ends("ship", saga.Compensated, at(8))
	c.succeed("a")
	c.expectStatus(saga.Compensated)
}

func TestRule23ARefusalAnswersOneMessage(t *testing.T) {
	t.Parallel()
	c := begin(t, shipping(), startData(`{}`))
	c.succeed("a")
	c.ends("ship", saga.Completed)
	c.refuse("b")
	asked := c.last.Messages[0].ID
	refuses := func(e *saga.ChildEnded) {
		e.Answers, e.Exists, e.Refused = asked, true, &saga.ReplyError{Code: saga.RefusedNotApplicable, Message: "past its pivot"}
	}
	c.ends("ship", "", refuses)
	c.expectAttention(saga.CompensationExhausted, "ship")
	c.act(saga.ActionRetry)
	require.False(t, c.ends("ship", "", refuses).Changed, "it answers the message before")
	c.expectSteps("a succeeded, ship compensating, b failed")

	goesOn := begin(t, shipping())
	goesOn.succeed("a")
	goesOn.act(saga.ActionCompensate)
	asked = goesOn.last.Messages[0].ID
	require.False(t, goesOn.ends("ship", "", refuses).Changed, "a child that goes on will end")
}

// The step was given up by a deadline during a rewind, before the refusal of the start came.
func TestRule23AChildThatCouldNeverStartCountsAsCompensated(t *testing.T) {
	t.Parallel()
	parent := func() *conversation {
		c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a")).Child("ship", "shipping", saga.AtOnce()).Step("b", "q.b", saga.After("a", "ship")))
		c.succeed("a")
		c.act(saga.ActionRewind, to("a"))
		c.act(saga.ActionCompensate)
		c.expectSteps("a compensating, ship compensating, b pending")
		return c
	}
	refuses := func(c *conversation) func(e *saga.ChildEnded) {
		asked := c.last.Messages[0].ID
		return func(e *saga.ChildEnded) {
			e.Answers, e.Refused = asked, &saga.ReplyError{Code: "definition_not_found", Message: "it is gone"}
		}
	}
	c := parent()
	c.ends("ship", "", refuses(c))
	c.succeed("a")
	c.expectStatus(saga.Compensated)

	known := parent()
	refusal := refuses(known)
	known.ends("ship", saga.Abandoned, func(e *saga.ChildEnded) { e.Revision = 3 })
	known.succeed("a")
	known.act(saga.ActionRetry)
	known.ends("ship", "", refusal, func(e *saga.ChildEnded) { e.Answers = known.last.Messages[0].ID })
	known.expectAttention(saga.CompensationExhausted, "ship") // it was there
}

func TestRule23APausedParentTurnsItsChildBackOnceItResumes(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "q.a").Child("ship", "shipping", saga.AtOnce()))
	c.act(saga.ActionPause)
	c.refuse("a")
	require.Empty(t, c.last.Messages, "a paused saga dispatches nothing")
	c.act(saga.ActionResume)
	require.NotNil(t, c.last.Messages[0].Unwind)
	c.ends("ship", saga.Compensated)
	c.expectStatus(saga.Compensated)
}

func TestRule23AChildIsCompensatedBeforeItsTurn(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "q.a").Child("ship", "shipping", saga.AtOnce()))
	c.act(saga.ActionCompensate)
	c.ends("ship", saga.Completed)
	require.False(t, c.ends("ship", saga.Compensated).Changed, "a command is out, so no step is compensated yet")
	c.refuse("a")
	c.expectSteps("a failed, ship compensating")
	c.ends("ship", saga.Compensated)
	c.expectStatus(saga.Compensated)
}

func TestRule23ASagaThatTurnsBackDuringARewindCompensatesItsChild(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a")).Child("ship", "shipping", saga.AtOnce()).Step("b", "q.b", saga.After("a", "ship")))
	c.succeed("a")
	c.act(saga.ActionRewind, to("a"))
	c.expectSteps("a compensating, ship running, b pending")
	require.Empty(t, c.last.Messages, "a rewind leaves the child of another branch alone")
	c.act(saga.ActionCompensate)
	c.expectSteps("a compensating, ship compensating, b pending")
	require.NotNil(t, c.last.Messages[0].Unwind)
	c.ends("ship", saga.Compensated)
	c.succeed("a")
	c.expectStatus(saga.Compensated)
}

func TestRule23AChildOpensAgainAfterALateEffectWasCompensated(t *testing.T) {
	t.Parallel()
	two := saga.New("order").Step("a", "q.a", compensatedBy("a")).Step("b", "q.b", saga.AtOnce(), compensatedBy("b"))
	c := begin(t, two, asChild)
	c.act(saga.ActionAbandon)
	c.succeed("a")
	c.act(saga.ActionCompensate, onStep("a"))
	c.hear(saga.Unwind{})
	c.expectStatus(saga.Compensating)
	c.expectSteps("a compensating, b compensating")
	c.succeed("a", "b")
	c.expectStatus(saga.Compensated)
}

func TestRule23AChildWhosePivotIsOutIsNotCompensatedYet(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a")).Pivot("p", "q.p"), asChild)
	c.succeed("a")
	c.hear(saga.Unwind{})
	require.NotEmpty(t, c.last.Entries, "a change is in the history")
	require.False(t, c.hear(saga.Unwind{}).Changed)
	c.refuse("p")
	c.succeed("a")
	c.expectStatus(saga.Compensated)

	left := begin(t, saga.New("order").Pivot("p", "q.p"), asChild)
	left.act(saga.ActionAbandon)
	require.NotNil(t, left.hear(saga.Unwind{}).Refused, "the pivot may have taken effect")
}

func TestRule23WhatIsSensitiveInAChildIsSensitiveInItsParent(t *testing.T) {
	t.Parallel()
	hides := func(pointers ...saga.Pointer) func(*saga.ChildEnded) {
		return func(e *saga.ChildEnded) { e.Hidden = pointers }
	}
	const address = `{"address":{"street":"Mill Lane","town":"Ely"},"tracking":7}`
	for name, c := range map[string]struct {
		under    string
		pointer  saga.Pointer
		data     string // of the parent, as viewers get it
		output   string // of the step
		pointers []saga.Pointer
	}{
		"a member, merged": {
			"", "/address/street", `{"address":{"street":"***","town":"Ely"},"id":"4242","tracking":7}`, `{"address":{"street":"***","town":"Ely"},"tracking":7}`,
			[]saga.Pointer{"/address/street", "/id"},
		},
		"a member, under another": {
			"shipment", "/tracking", `{"id":"4242","shipment":{"address":{"street":"Mill Lane","town":"Ely"},"tracking":"***"}}`,
			`{"address":{"street":"Mill Lane","town":"Ely"},"tracking":"***"}`,
			[]saga.Pointer{"/id", "/shipment/tracking"},
		},
		"all, merged": {"", "", `{"address":"***","id":"4242","tracking":"***"}`, `{"address":"***","tracking":"***"}`, []saga.Pointer{"/address", "/id", "/tracking"}},
		"all, under a member": {
			"shipment", "", `{"id":"4242","shipment":"***"}`, `{"address":"***","tracking":"***"}`, []saga.Pointer{"/id", "/shipment"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := []saga.StepOption{saga.OutputAs(c.under)}
			if c.under == "" {
				options = nil
			}
			conversation := begin(t, shipping(options...), startData(`{"id":"4242"}`))
			conversation.succeed("a")
			conversation.ends("ship", saga.Completed, childData(address), hides(c.pointer))
			in := conversation.is
			def := conversation.def
			require.True(t, def.Hides(&in))
			require.JSONEq(t, c.data, string(def.Within(&in).Mask(in.Data)))
			require.JSONEq(t, c.output, string(def.Within(&in).MaskOutput("ship", in.Steps[1].Output)))
			in.Parent = &saga.Parent{Saga: "p", Step: "order", Level: 2, Hidden: []saga.Pointer{"/id"}}
			require.Equal(t, c.pointers, def.HiddenIn(&in), "what its own parent gets")
			require.Equal(t, "order ***", def.Redactor(&in)("order 4242"))
		})
	}
}

func TestRule23WhatIsSensitiveInAParentIsSensitiveInItsChild(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options []saga.StepOption
		want    []saga.Pointer
	}{
		"all of the data": {nil, []saga.Pointer{"/card/number", "/id"}},
		"a part": {
			[]saga.StepOption{saga.Input(map[string]saga.Pointer{"pay/with": "/card", "order": "/id", "amount": "/amount"})},
			[]saga.Pointer{"/order", "/pay~1with/number"},
		},
		"a member of what is sensitive": {[]saga.StepOption{saga.Input(map[string]saga.Pointer{"digits": "/card/number/last"})}, []saga.Pointer{"/digits"}},
		"nothing of it":                 {[]saga.StepOption{saga.Input(map[string]saga.Pointer{"amount": "/amount"})}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parent := saga.New("order").Sensitive("/id", "/card/number").Child("ship", "shipping", c.options...)
			conversation := begin(t, parent, startData(`{"id":"4242","card":{"number":"4111"},"amount":3}`))
			require.Len(t, conversation.last.Messages, 1)
			require.Equal(t, c.want, conversation.last.Messages[0].Start.Parent.Hidden)
		})
	}
}

func TestTooManySensitiveMembersOfChildrenHideEverything(t *testing.T) {
	t.Parallel()
	c := begin(t, shipping(), startData(`{"id":"4242"}`))
	c.succeed("a")
	many := make([]saga.Pointer, 1001)
	for i := range many {
		many[i] = saga.Pointer("/" + strconv.Itoa(i))
	}
	c.ends("ship", saga.Completed, childData(`{"tracking":7}`), func(e *saga.ChildEnded) { e.Hidden = many })
	require.JSONEq(t, `{"id":"***","tracking":"***"}`, string(c.def.Within(&c.is).Mask(c.is.Data)))
}

// After the parent is abandoned, an operator compensates its child through the parent.
func TestRule23TheChildOfAnAbandonedParentIsCompensatedThroughIt(t *testing.T) {
	t.Parallel()
	c := begin(t, shipping())
	c.succeed("a")
	c.act(saga.ActionAbandon)
	c.expectStatus(saga.Abandoned)
	require.Empty(t, c.last.Messages, "the child goes on")
	c.ends("ship", saga.Completed, childData(`{"tracking":7}`))
	c.expectAttention(saga.LateEffect, "ship")
	c.act(saga.ActionCompensate, func(a *saga.Action) { a.Step = "ship" })
	require.Len(t, c.last.Messages, 1)
	require.NotNil(t, c.last.Messages[0].Unwind)
	c.ends("ship", saga.Compensated)
	c.expectStatus(saga.Abandoned)
	require.Nil(t, c.is.Attention)
}
