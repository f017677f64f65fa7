package saga

// act applies an operator's action if the saga's present state allows it.
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
	if a.Step != "" && t.def.step(a.Step) < 0 {
		t.refuse(RefusedUnknownStep, "step: the definition has no step of that name")
		return
	}
	if a.To != "" && t.def.step(a.To) < 0 {
		t.refuse(RefusedUnknownStep, "to: the definition has no step of that name")
		return
	}
	if a.Name == ActionRedrive {
		t.actRedrive(a)
		return
	}
	if parent := t.next.Parent; a.Name == ActionCompensate && parent != nil && !t.def.allows(&t.next, a.Name) && t.next.Phase != PhaseEnded {
		t.refuse(RefusedNotApplicable, "a child saga is cancelled through its parent, saga %s", parent.Saga)
		return
	}
	if !t.def.allows(&t.next, a.Name) {
		t.refuse(RefusedNotApplicable, "%s does not apply to a saga that is %s", a.Name, t.def.describe(&t.next))
		return
	}
	forward := a.Name == ActionRetry || a.Name == ActionSkip || a.Name == ActionRewind
	if forward && t.deadlineTurnsBack() {
		t.refuse(RefusedNotApplicable, "the saga's deadline has passed, so it turns back at once")
		return
	}
	t.perform(a)
	if t.refused == nil {
		t.next.LastAction = a.ID
		t.progress()
	}
}

// describe names the state of a saga, so that an operator sees why an action does not apply.
func (d *Definition) describe(in *Instance) string {
	text := string(in.Status)
	switch {
	case in.Attention != nil:
		text += " (" + string(in.Attention.Reason) + ")"
	case in.Phase == PhaseForward && in.TurnBack != nil:
		text += " and waits for its pivot before it turns back"
	case in.Rewind != nil:
		text += " and rewinding"
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
			s := &t.next.Steps[i]
			s.LateEffect, s.LateCompensation, s.EarlierEffect = false, false, 0
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
	case ActionRewind:
		t.actRewind(a)
	}
}

func reasonOf(a Action) map[string]any {
	if a.Reason == "" {
		return nil
	}
	return map[string]any{"reason": a.Reason}
}

// resume handles what fell due during the pause. The deadline comes now, since nothing may be dispatched after it.
// Commands whose time is up wait for the wake that follows at once: they may still be in the outbox, which only a wake
// reports.
func (t *transition) resume() {
	t.woken = true
	t.begin()
	t.wakeDeadline()
}

// actRetry gives exhausted steps and compensations the full attempts of their policy again. Steps restart at once,
// compensations when their turn has come.
func (t *transition) actRetry(a Action) {
	retried := false
	for i := range t.next.Steps {
		reason, exhausted := t.def.exhaustedStep(&t.next, i)
		s := &t.next.Steps[i]
		if !exhausted || a.Step != "" && a.Step != s.Name {
			continue
		}
		retried = true
		t.record(EntryRetried, s.Name, 0, reasonOf(a))
		if reason == CompensationExhausted {
			s.CompensationForgiven = s.CompensationAttempts
			t.yield(i) // a later step may be exhausted too, and is compensated first
			continue
		}
		t.dropTurnBack(EntryCancelDropped, s.Name)
		s.EffectKnown = s.EffectKnown || reason == InvalidOutput
		s.AttemptsForgiven = s.Attempts
		s.EarlierSignals, s.Signal = s.earlierSignals(), nil // a step that waits needs a new one
		t.dispatch(i)
	}
	if !retried {
		t.refuse(RefusedNotApplicable, "step %s is not exhausted", a.Step)
	}
}

// dropTurnBack ends the wait of a cancel, a deadline or a rewind for the outcome of the pivot, and records that.
func (t *transition) dropTurnBack(entry EntryType, pivot string) {
	if t.next.TurnBack != nil {
		t.record(entry, pivot, 0, map[string]any{"code": t.next.TurnBack.Code})
	}
	t.next.TurnBack, t.next.Rewind = nil, nil
}

// actSkip marks an exhausted step or compensation as done.
func (t *transition) actSkip(a Action) {
	i := t.def.step(a.Step)
	if i < 0 {
		t.refuse(RefusedUnknownStep, "step: name the step to skip")
		return
	}
	reason, exhausted := t.def.exhaustedStep(&t.next, i)
	if !exhausted {
		t.refuse(RefusedNotApplicable, "step %s is not exhausted", a.Step)
		return
	}
	if reason == CompensationExhausted {
		a.Output = nil // the step is done, and its compensation has no output
	}
	merged, fault := t.skipped(i, reason, a)
	if fault != nil {
		t.refuse(fault.Code, "output: %s", fault.Message)
		return
	}
	s := &t.next.Steps[i]
	s.Status = StepSkipped
	if reason == StepFailure { // it counts as a success, so it is compensated if the saga turns back
		s.TookEffect, s.Oversized = true, false
	}
	s.close(t.now)
	t.next.Data = merged
	if a.Output != nil {
		s.Output = a.Output
	}
	t.record(EntryStepSkipped, s.Name, 0, reasonOf(a))
	if i == t.def.graph.pivot && (reason == PivotUnknown || reason == InvalidOutput) {
		t.dropTurnBack(EntryCancelTooLate, s.Name)
	}
}

// skipped returns the data with the output that an operator gives for a step.
func (t *transition) skipped(i int, reason AttentionReason, a Action) ([]byte, *ReplyError) {
	if reason == CompensationExhausted {
		return t.next.Data, nil
	}
	return t.takeOutput(i, Reply{Output: a.Output})
}

// actCompensate cancels the saga, settles that an unknown pivot did not happen, or compensates a late effect.
func (t *transition) actCompensate(a Action) {
	why := Failure{Code: CodeCancelled, Message: a.Reason}
	switch {
	case t.next.Phase == PhaseEnded:
		t.reopen(a)
		return
	case a.Step != "":
		t.refuse(RefusedNotApplicable, "step: only after the end of the saga a single step can be compensated, and only its late effect; leave it out to compensate the saga")
		return
	case t.def.pivotUnknown(&t.next):
		pivot := &t.next.Steps[t.def.graph.pivot]
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

// reopen takes a terminal saga back to compensate one step that took effect after the end. The other steps stay as they
// are.
func (t *transition) reopen(a Action) {
	i := t.lateStep(a.Step)
	if i < 0 {
		t.refuse(RefusedNotApplicable, "step: name one step whose late effect can be compensated")
		return
	}
	s := &t.next.Steps[i]
	t.next.ReopenedFrom = t.next.Status
	t.next.Phase = PhaseBackward
	if !s.LateEffect { // the execution to compensate is not the last one
		s.Compensating, s.EarlierEffect, s.TookEffect, s.Output = s.EarlierEffect, 0, true, nil
	}
	s.LateEffect = false
	s.Reopened = true
	t.woken = true
	t.record(EntryReopened, s.Name, 0, reasonOf(a))
	t.compensateOnceMore(i)
}

// lateStep returns the step that an action on a late effect means: the named one, or the only one. It returns -1
// for any other step.
func (t *transition) lateStep(name string) int {
	found := -1
	for i := range t.next.Steps {
		if !t.def.mayReopen(&t.next, i) || name != "" && name != t.next.Steps[i].Name {
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
	patched := merge(t.next.Data, a.Patch, true)
	if !t.fits(patched) || members(patched) == nil {
		t.refuse(RefusedDataTooLarge, "the saga's data must stay an object of at most %d bytes", MaxDataBytes)
		return
	}
	t.next.Data = patched
	t.record(EntryDataPatched, "", 0, reasonOf(a))
}
