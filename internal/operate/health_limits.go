package operate

import (
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// HealthLimits are what a healthy queue keeps.
type HealthLimits struct {
	Depth       int           // messages that are ready for a worker
	Age         time.Duration // of the oldest command out
	DeadLetters int64         // in an hour
}

// Judge returns why a queue is unhealthy, in sentences that name the value and the limit; none: it is healthy. While settings
// of the queue hold back commands, the age of the oldest one is not judged: that wait is what an operator asked for.
func (l HealthLimits) Judge(found record.QueueEvidence) (reasons []string) {
	add := func(format string, values ...any) { reasons = append(reasons, fmt.Sprintf(format, values...)) }
	if found.Inspected && found.CommandsOut > 0 && found.Consumers == 0 {
		add("The queue has no consumer, and %s out.", counted(found.CommandsOut, "command is", "commands are"))
	}
	if found.Inspected && found.Depth > l.Depth {
		add("%s for a worker, more than %d (--alert-depth).", counted(int64(found.Depth), "message waits", "messages wait"), l.Depth)
	}
	if found.CommandsOut > 0 && found.HeldBack == 0 && found.Age > l.Age {
		add("The oldest command has been out for %s, longer than %s (--alert-age).", shownAge(found.Age, l.Age), l.Age)
	}
	if found.DeadLetters > l.DeadLetters {
		add("%s of the queue in the last hour, more than %d (--alert-dead-letters).",
			counted(found.DeadLetters, "dead letter came", "dead letters came"), l.DeadLetters)
	}
	return reasons
}

// shownAge rounds an age down to seconds, unless it would then look as if it kept the limit.
func shownAge(age, limit time.Duration) time.Duration {
	if rounded := age.Truncate(time.Second); rounded > limit {
		return rounded
	}
	return age
}

func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
