package saga

import (
	"fmt"
	"time"
)

// ConsumerTimeout is how long RabbitMQ waits for the acknowledgement of a delivery by default. After that it closes the
// channel and delivers the message again.
const ConsumerTimeout = 30 * time.Minute

// Warnings returns what a definition may contain but may surprise, each with its JSON pointer: attempts that may take
// longer than ConsumerTimeout. The orchestrator declares queues with a longer timeout, which RabbitMQ before 3.12
// ignores; such a broker, and a queue that exists already, need the setting consumer_timeout.
func (d *Definition) Warnings() []Fault {
	var found Faults
	warn := func(step int, member string, timeout Duration) {
		if time.Duration(timeout) > ConsumerTimeout {
			found.add(fmt.Sprintf("/steps/%d/%s", step, member),
				"is longer than RabbitMQ's consumer timeout, %s by default: RabbitMQ before 3.12, and a queue that exists already, "+
					"deliver the command again while a worker handles it, unless consumer_timeout in rabbitmq.conf is longer", ConsumerTimeout)
		}
	}
	for i := range d.Steps {
		if d.Steps[i].Wait() == NoWait {
			warn(i, "timeout", d.Steps[i].Timeout)
		}
		if d.Steps[i].Compensation != "" {
			warn(i, "compensation_timeout", d.Steps[i].CompensationTimeout)
		}
	}
	return found
}
