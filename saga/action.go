package saga

// act takes what a person asks for, where the saga's present state allows it.
func (t *transition) act(a Action) {
	t.actor = a.Actor
	if a.ID != "" && a.ID == t.next.LastAction {
		t.ignore(ignoredRepeated)
		return
	}
	if a.IfRevision != 0 && a.IfRevision != t.next.Revision {
		t.refuse(RefusedRevisionMoved, "the saga is at revision %d, not %d", t.next.Revision, a.IfRevision)
		return
	}
	if a.Step != "" && t.plan.step(a.Step) < 0 {
		t.refuse(RefusedUnknownStep, "step: the definition has no step of that name")
		return
	}
	if !t.plan.allows(&t.next, a.Name) {
		t.refuse(RefusedNotApplicable, "%s does not apply to a saga that is %s", a.Name, t.plan.describe(&t.next))
		return
	}
	t.perform(a)
	if t.refused == nil {
		t.next.LastAction = a.ID
		t.progress()
	}
}

// describe says where a saga stands, so that a person sees why an action does not apply.
func (d *Definition) describe(in *Instance) string {
	text := string(in.Status)
	switch {
	case in.Attention != nil:
		text += " (" + string(in.Attention.Reason) + ")"
	case in.Phase == PhaseForward && in.TurnBack != nil:
		text += " and waits for its pivot before it turns back"
	case in.Phase == PhaseForward && d.pastPivot(in):
		text += " and past its pivot"
	}
	return text
}

func (t *transition) perform(a Action) {
	reason := reasonOf(a)
	switch a.Name {
	case ActionRetry:
		t.actRetry(a)
	case ActionSkip:
		t.actSkip(a)
	case ActionCompensate:
		t.actCompensate(a)
	case ActionAbandon:
		t.end(Abandoned, EntryAbandoned, reason)
	case ActionAcknowledge:
		for i := range t.next.Steps {
			t.next.Steps[i].LateEffect, t.next.Steps[i].LateCompensation = false, false
		}
		t.record(EntryAcknowledged, "", 0, reason)
	case ActionPause:
		t.next.PausedByOperator = true
		t.record(EntryPaused, "", 0, reason)
	case ActionResume:
		t.next.PausedByOperator = false
		t.record(EntryResumed, "", 0, reason)
		t.resume()
	case ActionPatchData:
		t.actPatch(a)
	}
}

func reasonOf(a Action) map[string]any {
	if a.Reason == "" {
		return nil
	}
	return map[string]any{"reason": a.Reason}
}

// resume deals with what fell due during the pause. A command whose time is up may still be in the outbox, which only
// a wake can tell, so what is out waits for the wake that follows at once. The deadline does not: nothing may be
// dispatched that it forbids.
func (t *transition) resume() {
	t.woken = true
	t.begin()
	t.wakeDeadline()
}

// actRetry gives what is used up the attempts of its policy anew, at once; a compensation, when its turn has come.
func (t *transition) actRetry(a Action) {
	retried := false
	for i := range t.next.Steps {
		reason, exhausted := t.plan.exhaustedStep(&t.next, i)
		s := &t.next.Steps[i]
		if !exhausted || a.Step != "" && a.Step != s.Name {
			continue
		}
		retried = true
		t.record(EntryRetried, s.Name, 0, reasonOf(a))
		if reason == CompensationExhausted {
			s.CompensationForgiven = s.CompensationAttempts
			t.yield(i) // what came after it may be used up, too, and is undone first
			continue
		}
		t.next.TurnBack = nil
		s.AttemptsForgiven = s.Attempts
		t.dispatch(i)
	}
	if !retried {
		t.refuse(RefusedNotApplicable, "step %s is not used up", a.Step)
	}
}

// actSkip counts a used-up step or compensation as done: the person says so.
func (t *transition) actSkip(a Action) {
	i := t.plan.step(a.Step)
	if i < 0 {
		t.refuse(RefusedUnknownStep, "step: name the step to skip")
		return
	}
	reason, exhausted := t.plan.exhaustedStep(&t.next, i)
	if !exhausted {
		t.refuse(RefusedNotApplicable, "step %s is not used up", a.Step)
		return
	}
	merged, fault := t.takeOutput(i, Reply{Output: a.Output})
	if fault != nil {
		t.refuse(RefusedDataTooLarge, "output: %s", fault.Message)
		return
	}
	s := &t.next.Steps[i]
	s.Status = StepSkipped
	s.close(t.now)
	t.next.Data = merged
	if a.Output != nil && reason != CompensationExhausted {
		s.Output = a.Output
	}
	if reason == PivotUnknown {
		t.next.TurnBack = nil
	}
	t.record(EntryStepSkipped, s.Name, 0, reasonOf(a))
}

// actCompensate cancels the saga, decides that an unknown pivot did not happen, or undoes a late effect.
func (t *transition) actCompensate(a Action) {
	why := Failure{Code: CodeCancelled, Message: a.Reason}
	switch {
	case t.next.Phase == PhaseEnded:
		t.reopen(a)
		return
	case t.plan.pivotUnknown(&t.next):
		pivot := &t.next.Steps[t.plan.graph.pivot]
		pivot.Status = StepFailed
		why.Step = pivot.Name
		t.record(EntryCancelRequested, pivot.Name, 0, reasonOf(a))
		t.turnBack(why)
		return
	}
	paused := t.next.PausedByOperator
	t.next.PausedByOperator = false
	t.record(EntryCancelRequested, "", 0, reasonOf(a))
	if paused {
		t.woken = true
	}
	t.requestTurnBack(why)
}

// reopen takes a saga that has ended back to undo one step that took effect afterwards; the others stay as they are.
func (t *transition) reopen(a Action) {
	i := t.lateStep(a.Step)
	if i < 0 {
		t.refuse(RefusedNotApplicable, "step: name one step whose late effect can be undone")
		return
	}
	s := &t.next.Steps[i]
	t.next.ReopenedFrom = t.next.Status
	t.next.Phase = PhaseBackward
	s.LateEffect = false
	s.Reopened = true
	t.woken = true
	t.record(EntryReopened, s.Name, 0, reasonOf(a))
	t.compensateOnceMore(i)
}

// lateStep finds the step that an action on a late effect is about: the one named, or the only one.
func (t *transition) lateStep(name string) int {
	found := -1
	for i := range t.next.Steps {
		if !t.plan.mayReopen(&t.next, i) || name != "" && name != t.next.Steps[i].Name {
			continue
		}
		if found >= 0 {
			return -1
		}
		found = i
	}
	return found
}

func (t *transition) actPatch(a Action) {
	patched, ok := within(merge(t.next.Data, a.Patch, true))
	if !ok || members(patched) == nil {
		t.refuse(RefusedDataTooLarge, "the saga's data must stay an object of at most %d bytes", MaxDataBytes)
		return
	}
	t.next.Data = patched
	t.record(EntryDataPatched, "", 0, reasonOf(a))
}
