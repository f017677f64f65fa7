package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Each message states the cause and what an operator can do about it.

func doneMessage(status saga.Status) string {
	switch status {
	case saga.Completed:
		return "The saga has completed: every step succeeded. Nothing needs to be done."
	case saga.Compensated:
		return "The saga is compensated: every step that took effect was compensated. Nothing needs to be done."
	default:
		return "An operator abandoned the saga and left its steps as they were. It does not move any more."
	}
}

func (e Evidence) attentionMessage() string {
	attention := e.Instance.Attention
	step := attention.Step
	switch attention.Reason {
	case saga.CompensationExhausted:
		return e.compensationMessage(step)
	case saga.RetriesExhausted:
		return fmt.Sprintf("Every attempt of step %s has failed, and the saga has passed its pivot, so it cannot be compensated. "+
			"%s, or do the step by hand and skip it.", step, e.remedy(step))
	case saga.InvalidOutput:
		return fmt.Sprintf("Step %s took effect, but its output does not match its schema or cannot be merged. %s, or skip "+
			"the step with the right output.", step, e.remedy(step))
	case saga.StepFailure:
		return fmt.Sprintf("Step %s failed finally, and the definition leaves the decision to an operator. Retry it, do it by hand and "+
			"skip it, or compensate the saga.", step)
	case saga.PivotUnknown:
		return fmt.Sprintf("The outcome of the pivot, step %s, is unknown, so neither direction is safe. Find out whether it took "+
			"effect: skip it if it did, compensate if it did not, or retry it if its worker is idempotent.", step)
	case saga.LateEffect:
		if strings.Contains(attention.Message, "before a rewind") {
			return "Step " + step + " took effect once more: an execution from before a rewind succeeded, and its compensation may not have " +
				"seen it. Check the service, compensate that effect by hand if it is there, and acknowledge it once the saga has ended."
		}
		return e.lateEffect(step)
	case saga.DeadlineExceeded:
		return "The saga missed its deadline after its pivot, so it goes on. Find out what delays it."
	default:
		return "The saga has made no progress for a long time. Check the worker of the current step and its queue."
	}
}

// lateEffect explains what came after the end of the saga, and what an operator can do about it.
func (e Evidence) lateEffect(name string) string {
	i := e.position(name)
	switch {
	case i != noStep && e.Instance.Steps[i].LateCompensation:
		return fmt.Sprintf("The compensation of step %s succeeded after the saga had ended, so nothing is left of it. Acknowledge it.", name)
	case i != noStep && !slices.Contains(e.Definition.AllowedActions(e.Instance), saga.ActionCompensate):
		return fmt.Sprintf("Step %s took effect after the saga had ended, and cannot be compensated. Handle it by hand and acknowledge it.", name)
	default:
		return fmt.Sprintf("Step %s took effect after the saga had ended. Compensate it, or handle it by hand and acknowledge it.", name)
	}
}

// remedy returns what makes another attempt of a failed step succeed: it need not be a worker that failed.
func (e Evidence) remedy(name string) string {
	i := e.position(name)
	if i == noStep {
		return "Repair the worker and retry"
	}
	declared, step := &e.Definition.Steps[i], &e.Instance.Steps[i]
	if step.Error != nil && (step.Error.Code == saga.CodeConditionFailed || step.Error.Code == saga.CodeInputTooLarge) {
		return "Correct the data and retry" // no worker has been asked
	}
	switch declared.Wait() {
	case saga.NoWait:
		return "Repair the worker and retry"
	case saga.WaitForSignal:
		return "Retry, which waits for the signal " + declared.Signal + " again"
	case saga.WaitForChild:
		if step.Child() == "" {
			return "See why its child saga could not be started, and retry"
		}
		return "See why its child saga " + step.Child() + " did not succeed, and retry, which starts another one"
	default:
		return "Correct the data and retry"
	}
}

func (e Evidence) retryMessage(i int) string {
	step := &e.Instance.Steps[i]
	what := "step " + step.Name
	if step.Status == saga.StepCompensating {
		what = "the compensation of " + what
	}
	if step.Error == nil {
		return fmt.Sprintf("The last attempt of %s failed, and the next one is scheduled. Nothing needs to be done.", what)
	}
	said := fmt.Sprintf("The last attempt of %s failed with %s: %s. The next one is scheduled.", what, step.Error.Code, step.Error.Message)
	if e.Definition.Steps[i].Wait() != saga.NoWait && step.Status != saga.StepCompensating {
		return said
	}
	return said + " If the error persists, repair the worker."
}

func heldBackMessage(step string, row record.OutboxRow, settings record.QueueSettings, out []string) string {
	before := "It is the next to leave."
	switch {
	case row.Before == 1:
		before = "One command leaves before it."
	case row.Before >= record.MaxBefore:
		before = fmt.Sprintf("At least %d commands leave before it.", row.Before)
	case row.Before > 1:
		before = fmt.Sprintf("%d commands leave before it.", row.Before)
	}
	const waits = "Until it leaves its timeout does not run."
	limit := fmt.Sprintf("lets %d commands out at a time", settings.MaxOut)
	switch {
	case settings.Paused:
		return fmt.Sprintf("Queue %s is paused, so the command of step %s is held back. Resume the queue to let it leave. %s %s",
			row.Queue, step, before, waits)
	case settings.MaxOut > 0 && settings.Rate > 0:
		limit += fmt.Sprintf(", at most %v a second", settings.Rate)
	case settings.Rate > 0:
		limit = fmt.Sprintf("lets %v commands leave in a second", settings.Rate)
	case settings.Free():
		return fmt.Sprintf("Queue %s has no settings any more, so the command of step %s is about to leave. %s", row.Queue, step, before)
	}
	return fmt.Sprintf("Queue %s %s, so the command of step %s is held back. Nothing needs to be done, unless it should leave sooner: "+
		"change the settings of the queue. %s%s %s", row.Queue, limit, step, outMessage(out), before, waits)
}

// outMessage names the sagas that take the places of a capped queue: one of them may be stuck.
func outMessage(sagas []string) string {
	switch n := len(sagas); {
	case n == 0:
		return ""
	case n == 1:
		return "The command that is out is of saga " + sagas[0] + ": see why it has no reply. "
	case n < record.MaxSagasOut:
		return "The commands that are out are of sagas " + strings.Join(sagas, " and ") + ": see why they have no reply. "
	default:
		return "The commands that are out are of sagas " + strings.Join(sagas, ", ") + ", perhaps of others too: see why they have no reply. "
	}
}

func noConsumerMessage(step, queue string, depth int) string {
	return fmt.Sprintf("No worker consumes queue %s (depth %d), to which the command of step %s goes. Start a worker for this queue.",
		queue, depth, step)
}

// takenMessage explains a command that is not in its queue any more, which has no worker. A worker that stops takes no
// further commands, but may still finish those that it has.
func takenMessage(step, queue string) string {
	return fmt.Sprintf("The command of step %s was published, but queue %s is empty and has no worker: a worker took the command "+
		"without a reply, and is gone or about to stop, or the queue was purged. Without a reply the saga goes on when the attempt "+
		"times out. Start a worker for this queue: the next attempt or the compensation needs one.", step, queue)
}

func drainingMessage(step string) string {
	return fmt.Sprintf("The saga is about to compensate, but step %s is still running. Compensation begins when the step has "+
		"replied or timed out.", step)
}

func exhaustedMessage(exhausted, step string) string {
	return fmt.Sprintf("Step %s is exhausted and needs an operator, but step %s is still running. When it has finished, the "+
		"exhausted step can be retried or skipped.", exhausted, step)
}

func workerMessage(step, queue string, broker error) string {
	text := fmt.Sprintf("A worker of queue %s has the command of step %s or will receive it soon. If it does not reply in time, the "+
		"attempt times out.", queue, step)
	if said, help, is := objection(broker); is {
		return fmt.Sprintf("%s At present a reply may not arrive: %s. %s", text, said, help)
	}
	if broker != nil {
		text += " The broker cannot be reached at present, so a reply cannot arrive."
	}
	return text
}

// letterMessage explains a command that is a dead letter, or a reply to it that is one, while its step still waits for a reply.
func letterMessage(step string, letter record.DeadLetter) string {
	what := fmt.Sprintf("The reply to the command of step %s is a dead letter (%s, %s): no decision was possible on the saga then.", step, letter.ID, letter.Reason)
	switch {
	case letter.Source == record.SourceCommand && letter.Reason == "delivery_limit":
		what = fmt.Sprintf("The broker has delivered the command of step %s too often and dead-lettered it (%s, %s): its workers ended while they had it, or "+
			"did not acknowledge it within the broker's consumer_timeout, which must be longer than the step may take. If a worker still has it, "+
			"its reply counts.", step, letter.ID, letter.Reason)
	case letter.Source == record.SourceCommand:
		what = fmt.Sprintf("The command of step %s is a dead letter (%s, %s), so no worker has it.", step, letter.ID, letter.Reason)
	case letter.Reason == record.ReasonUserNotAllowed:
		what = fmt.Sprintf("The reply to the command of step %s is a dead letter (%s, %s): %s. If it is right, allow the user with --repliers first.",
			step, letter.ID, letter.Reason, letter.Message)
	case letter.Reason != record.ReasonUnreadableSaga:
		return fmt.Sprintf("The worker replied to the command of step %s, but the reply is a dead letter (%s, %s): %s. Mend the worker. A correct reply "+
			"still counts; without one the attempt times out.", step, letter.ID, letter.Reason, letter.Message)
	}
	return what + " Redrive the dead letter, or the attempt times out."
}
