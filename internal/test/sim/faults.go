package sim

// fault is a kind of fault.
type fault int

// The faults. Each is counted when it happens.
const (
	storeFailsBefore  fault = iota // a store call fails without effect
	storeFailsAfter                // a store call takes effect but reports a failure: commit unknown
	storeAway                      // the store is down for a while
	brokerAway                     // the broker is down for a while
	publishLost                    // a publish is not confirmed, and the command is lost
	publishStored                  // a publish is not confirmed, but the command is in its queue
	publishZombie                  // a publish is not confirmed, and the command arrives up to minutes later
	unroutable                     // a command is returned because its queue does not exist
	queueDeleted                   // a queue is deleted with its messages
	duplicated                     // a message is in its queue twice
	delayed                        // a message takes seconds, so that others overtake it
	connectionLost                 // a message is redelivered while the first delivery is in progress
	deadLettered                   // the broker dead-letters a command
	replicaCrash                   // a replica dies at any point and is replaced
	replicaPause                   // a replica freezes
	replicaSkew                    // a replica's clock is wrong by up to ten minutes
	workerCrash                    // a worker dies at any point
	workerSilent                   // a worker acknowledges a command and never replies
	workerRejects                  // a worker does not know the outcome and rejects the command
	workerSlow                     // a worker takes longer than the timeout
	workerLate                     // a worker gets a command after its deadline and drops it
	workerRepeats                  // a worker sends its reply twice
	workerContradicts              // a worker sends two replies that contradict each other
	workerCommit                   // the outcome of a worker's commit is unknown
	failsOnce                      // a step fails and may be retried
	failsFinally                   // a step fails finally
	queueSet                       // an operator pauses, caps or throttles a queue, or takes that away
	heldBack                       // a command is held back by the settings of its queue
	released                       // a command that was held back leaves under a cap
	withdrawn                      // a command that was held back is withdrawn, because its saga turned back
	messageRepeated                // a message between sagas is delivered twice
	callerLeaves                   // a caller gets no answer in time and retries
	faultKinds
)

func (f fault) String() string {
	return [faultKinds]string{
		"store fails before applying", "store fails after applying", "store away", "broker away", "publish lost",
		"publish unconfirmed", "zombie publish", "unroutable", "queue deleted", "duplicated", "delayed", "connection lost",
		"dead-lettered", "replica crash", "replica pause", "clock skew", "worker crash", "worker silent", "worker rejects",
		"worker slow", "deadline passed before work", "reply repeated", "reply contradicted", "worker's commit unknown",
		"step fails once", "step fails finally", "queue set", "held back", "released", "withdrawn", "message between sagas repeated", "caller leaves",
	}[f]
}

// rates returns the probabilities of faults that are drawn where they can happen. The others follow a timer.
func rates() [faultKinds]float64 {
	return [faultKinds]float64{
		storeFailsBefore: 0.02, storeFailsAfter: 0.02,
		publishLost: 0.02, publishStored: 0.02, publishZombie: 0.03,
		duplicated: 0.03, delayed: 0.04, connectionLost: 0.02,
		workerSilent: 0.02, workerRejects: 0.01, workerSlow: 0.03, workerRepeats: 0.05, workerContradicts: 0.002,
		workerCommit: 0.03, failsOnce: 0.08, failsFinally: 0.04,
		replicaSkew: 0.3, messageRepeated: 0.1,
	}
}

// draw decides whether a fault happens here. After the faults are over it returns false.
func (s *Simulation) draw(f fault) bool {
	if s.healed || !s.hit(s.rates[f]) {
		return false
	}
	s.count(f)
	return true
}

func (s *Simulation) count(f fault) {
	s.Faults[f]++
	s.mix(uint64(f))
}
