package saga

// actRedrive sends a dead-lettered command again, with the bytes of the dead letter, if the step still awaits its
// outcome: the success of any attempt counts. It does not change timers.
func (t *transition) actRedrive(a Action) {
	i := t.def.step(a.Command.Step)
	waits := i >= 0 && !t.def.Steps[i].sends(a.Command.Direction)
	if i < 0 || waits || a.Command.Saga != t.next.ID || !t.wasSent(i, a.Command) {
		t.refuse(RefusedUnknownCommand, "the saga has sent no such command")
		return
	}
	s := &t.next.Steps[i]
	switch {
	case t.next.PausedByOperator:
		t.refuse(RefusedNotApplicable, "the saga is paused: resume it first")
		return
	case !t.active(i) || !s.atWork(a.Command):
		t.refuse(RefusedNotApplicable, "step %s of a saga that is %s is %s and awaits no reply to this command: %s",
			s.Name, t.def.describe(&t.next), s.Status, t.insteadOfRedrive(i))
		return
	}
	name, queue, timeout, _ := t.def.CommandFor(s.Name, a.Command.Direction)
	t.commands = append(t.commands, Command{ID: a.Command, Name: name, Queue: queue, Timeout: timeout, Priority: t.next.Priority})
	t.next.LastAction = a.ID
	t.progress()
	t.record(EntryStepRedriven, s.Name, a.Command.Attempt, reasonOf(a))
}

// atWork reports whether the step awaits the outcome that a reply to the command would give.
func (s *StepState) atWork(id CommandID) bool {
	if id.Direction == Execute {
		return id.Round == s.execution() && (s.Status == StepRunning || s.Status == StepRetrying)
	}
	return s.Status == StepCompensating && id.Round == s.Round
}

// insteadOfRedrive returns advice for a command that cannot be sent again.
func (t *transition) insteadOfRedrive(i int) string {
	if _, exhausted := t.def.exhaustedStep(&t.next, i); exhausted && t.def.allows(&t.next, ActionRetry) {
		return "retry the step"
	}
	return "discard the dead letter"
}
