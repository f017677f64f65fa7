package saga

import (
	"fmt"
	"time"
)

// ConsumerTimeout is how long RabbitMQ waits for the acknowledgement of a delivery where it is not told otherwise. Then
// it closes the channel and delivers again.
const ConsumerTimeout = 30 * time.Minute

// Warnings returns what is allowed in a definition and may surprise, each with its JSON pointer: an attempt that may
// take longer than ConsumerTimeout. RabbitMQ from 3.12 on is told so when the queue is declared; an earlier broker, and
// a queue that exists already, need the setting consumer_timeout.
func (d *Definition) Warnings() []Fault {
	var found Faults
	warn := func(step int, member string, timeout Duration) {
		if time.Duration(timeout) > ConsumerTimeout {
			found.add(fmt.Sprintf("/steps/%d/%s", step, member),
				"is longer than RabbitMQ's consumer timeout, %s by default: a broker before 3.12, or a queue declared before, delivers the "+
					"command again while a worker works on it unless consumer_timeout in rabbitmq.conf is longer", ConsumerTimeout)
		}
	}
	for i := range d.Steps {
		warn(i, "timeout", d.Steps[i].Timeout)
		if d.Steps[i].Compensation != "" {
			warn(i, "compensation_timeout", d.Steps[i].CompensationTimeout)
		}
	}
	return found
}
