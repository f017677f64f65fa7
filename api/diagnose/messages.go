package diagnose

import (
	"fmt"
	"strings"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// The messages of causes: what is so, and what a person can do about it.

func doneMessage(status saga.Status) string {
	switch status {
	case saga.Completed:
		return "The saga has completed: every step succeeded. Nothing needs to be done."
	case saga.Compensated:
		return "The saga is compensated: all that took effect was undone. Nothing needs to be done."
	default:
		return "A person has abandoned the saga: it was closed as it stood. Nothing more happens by itself."
	}
}

func attentionMessage(attention saga.Attention) string {
	step := attention.Step
	switch attention.Reason {
	case saga.CompensationExhausted:
		return fmt.Sprintf("Every attempt to undo step %s has failed. Repair what keeps its worker from undoing it and retry, "+
			"or undo it by hand and skip it.", step)
	case saga.RetriesExhausted:
		return fmt.Sprintf("Every attempt of step %s has failed, and the saga cannot go back any more. Repair what keeps its "+
			"worker and retry, or do it by hand and skip it.", step)
	case saga.PivotUnknown:
		return fmt.Sprintf("Whether the pivot, step %s, took effect is not known, so neither direction is safe. Find out: skip "+
			"it if it happened, compensate if it did not, or retry it if its worker can tell.", step)
	case saga.LateEffect:
		return fmt.Sprintf("Step %s took effect after the saga had ended. Compensate it, or deal with it by hand and "+
			"acknowledge it.", step)
	case saga.DeadlineExceeded:
		return "The saga has passed its deadline but also its pivot, so it goes on. Look at what keeps it."
	default:
		return "The saga has made no progress for a long time. Look at the step's worker and its queue."
	}
}

func retryMessage(step *saga.StepState) string {
	what := "step " + step.Name
	if step.Status == saga.StepCompensating {
		what = "undoing " + what
	}
	if step.Error == nil {
		return fmt.Sprintf("The last attempt of %s failed; it waits for its next. Nothing needs to be done.", what)
	}
	return fmt.Sprintf("The last attempt of %s failed with %s: %s. It waits for its next; if the error does not go by itself, "+
		"repair its worker.", what, step.Error.Code, step.Error.Message)
}

func unroutableMessage(step, queue string) string {
	return fmt.Sprintf("The command of step %s cannot be delivered: the broker has no queue %s. Register the definition again, "+
		"which declares it, or find out who deletes it. The command is kept and tried again, and its time does not run.", step, queue)
}

func unpublishedMessage(step, queue string, brokerAway bool) string {
	if brokerAway {
		return fmt.Sprintf("The command of step %s is written but not published: the broker cannot be reached. It is published "+
			"once the broker is back, and its time does not run.", step)
	}
	return fmt.Sprintf("The command of step %s is written but not yet confirmed to be in queue %s. If this lasts, look at the "+
		"broker (alarms, limits of the queue); its time does not run.", step, queue)
}

func refusedMessage(step, words string) string {
	return fmt.Sprintf("The broker refuses the command of step %s: %s. If it is too large, raise the broker's max_message_size, or "+
		"abandon the saga. The command is kept and tried again, alone, and its time does not run.", step, brokersWords(words))
}

func queueRefusesMessage(step, queue, words string) string {
	return fmt.Sprintf("The command of step %s is not published: queue %s refuses messages: %s. It may be full: look at its limits and "+
		"at its workers. The queue is tried again, and the command's time does not run.", step, queue, brokersWords(words))
}

func notConfirmingMessage(step, queue, words string) string {
	return fmt.Sprintf("The command of step %s is not published: queue %s does not confirm what it is sent: %s. A quorum queue does so "+
		"without its majority: look at the nodes of the broker. The queue is tried again, and the command's time does not run.",
		step, queue, brokersWords(words))
}

// brokersWords are what the broker said, fit for one line.
func brokersWords(words string) string {
	const longest = 300
	words = strings.ToValidUTF8(strings.Join(strings.Fields(words), " "), "?")
	if len(words) > longest {
		words = strings.ToValidUTF8(words[:longest], "") + "…"
	}
	return strings.TrimSuffix(words, ".")
}

func noConsumerMessage(step, queue string, depth int) string {
	return fmt.Sprintf("The command of step %s is in queue %s (%d waiting), but no worker consumes it. Start a worker for this "+
		"queue.", step, queue, depth)
}

func drainingMessage(step string) string {
	return fmt.Sprintf("The saga goes back, but step %s was still out when it turned. Compensation begins when it has replied "+
		"or timed out.", step)
}

func usedUpMessage(usedUp, step string) string {
	return fmt.Sprintf("Step %s is used up and needs a person. Meanwhile step %s still moves; once it has come to its end, the "+
		"used-up step can be dealt with.", usedUp, step)
}

func workerMessage(step, queue string, brokerAway bool) string {
	text := fmt.Sprintf("A worker of queue %s has the command of step %s, or will take it next. If it does not reply in time, the "+
		"attempt times out.", queue, step)
	if brokerAway {
		text += " The broker cannot be reached at present, so no reply can come."
	}
	return text
}
