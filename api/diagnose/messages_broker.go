package diagnose

import (
	"errors"
	"fmt"
	"strings"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Messages about commands that are not in their queue.

func unroutableMessage(step, queue string, undeclared error) string {
	const kept = "The command is kept and retried, and its timeout does not run."
	if said, help, is := objection(undeclared); is {
		return fmt.Sprintf("The command of step %s cannot be delivered: the broker has no queue %s and did not declare it: %s. %s "+
			"The queue is then declared by itself. %s", step, queue, said, help, kept)
	}
	return fmt.Sprintf("The command of step %s cannot be delivered: the broker has no queue %s. Register the definition again, "+
		"which declares the queue, or find out what deletes it. %s", step, queue, kept)
}

func lockedMessage(step, queue string) string {
	return fmt.Sprintf("The command of step %s cannot be delivered: another connection has locked queue %s, which it declared as exclusive. "+
		"%s The command is kept and retried, and its timeout does not run.", step, queue, unlock)
}

// lockedWorkerMessage is about a command that is in such a queue.
func lockedWorkerMessage(step, queue string) string {
	return fmt.Sprintf("Step %s waits for the reply to a command in queue %s, which another connection has locked: it declared the queue as "+
		"exclusive, so only that connection can consume it, and the broker does not report its state. If no reply comes: %s", step, queue, unlock)
}

const unlock = "Close that connection, which deletes the queue, and let its program not declare the queue; the orchestrator then declares it by itself."

func unpublishedMessage(step, queue string, broker error) string {
	if said, help, is := objection(broker); is {
		return fmt.Sprintf("The command of step %s is stored but not published: %s. %s The command is then published by itself. "+
			"Until then its timeout does not run.", step, said, help)
	}
	if broker != nil {
		return fmt.Sprintf("The command of step %s is stored but not published: the broker cannot be reached. It is published when "+
			"the broker is back. Until then its timeout does not run.", step)
	}
	return fmt.Sprintf("The command of step %s is stored, but the broker has not confirmed it for queue %s. If this lasts, check "+
		"the broker for alarms and the limits of the queue. Until then the timeout does not run.", step, queue)
}

// objection returns what a broker that can be reached objects to, in its own words, and what an operator can do.
func objection(err error) (said, help string, is bool) {
	obstacle, is := errors.AsType[*wire.Obstacle](err)
	if !is {
		return "", "", false
	}
	said = obstacle.What
	if obstacle.Words != "" {
		said += ": " + oneLine(obstacle.Words)
	}
	return said, obstacle.Help, true
}

func unpublishableMessage(step, reason string) string {
	return fmt.Sprintf("The command of step %s as stored cannot be published: %s. Repair its row in the outbox or its definition, or abandon the "+
		"saga. It is tried again after growing waits, and its timeout does not run.", step, oneLine(reason))
}

func refusedMessage(step, words string) string {
	help := "If it is too large, raise the broker's max_message_size, or abandon the saga."
	if strings.Contains(words, "ACCESS_REFUSED") {
		help = "Give the user of --amqp-url the right to write."
	}
	return fmt.Sprintf("The broker refuses the command of step %s: %s. %s The command is kept and retried separately, and its timeout "+
		"does not run.", step, oneLine(words), help)
}

func queueRefusesMessage(step, queue, words string) string {
	return fmt.Sprintf("The command of step %s is not published: queue %s refuses messages: %s. The queue may be full: check its "+
		"limits and its workers. The queue is retried, and the timeout of the command does not run.", step, queue, oneLine(words))
}

func notConfirmingMessage(step, queue, words string) string {
	return fmt.Sprintf("The command of step %s is not published: queue %s does not confirm messages: %s. A quorum queue without a "+
		"majority does this: check the nodes of the broker. The queue is retried, and the timeout of the command does not run.",
		step, queue, oneLine(words))
}

// oneLine returns the text of the broker on one line, cut to a length that fits a message.
func oneLine(words string) string {
	const longest = 300
	words = strings.ToValidUTF8(strings.Join(strings.Fields(words), " "), "?")
	if len(words) > longest {
		words = strings.ToValidUTF8(words[:longest], "") + "…"
	}
	return strings.TrimSuffix(words, ".")
}
