package sim

// fault is a kind of what goes wrong.
type fault int

// The faults. Each is counted when it happens.
const (
	storeFailsBefore  fault = iota // a store call fails and has done nothing
	storeFailsAfter                // a store call is applied and reported as failed: commit unknown
	storeAway                      // a store call fails because the store is away for a while
	brokerAway                     // the relay finds no broker
	publishLost                    // a publish is not confirmed, and the command is nowhere
	publishStored                  // a publish is not confirmed, but the command is in its queue
	publishZombie                  // a publish is not confirmed, and the command arrives later, perhaps by minutes
	unroutable                     // a command is returned: its queue is gone
	queueDeleted                   // a queue is deleted with what is in it
	duplicated                     // a message is in its queue twice
	delayed                        // a message takes seconds, so others overtake it
	connectionLost                 // a delivery comes again while the first is still being dealt with
	deadLettered                   // a command is put aside by the broker
	replicaCrash                   // a replica dies wherever it is, and another takes its place
	replicaPause                   // a replica stands still
	replicaSkew                    // a replica's clock is wrong by up to ten minutes
	workerCrash                    // a worker dies wherever it is
	workerSilent                   // a worker acknowledges a command and never replies
	workerRejects                  // a worker cannot say what happened, and puts the command aside
	workerSlow                     // a worker takes longer than the attempt may
	workerLate                     // a worker gets a command after its deadline and drops it
	workerRepeats                  // a worker sends its reply twice
	workerContradicts              // a worker sends two replies that cannot both be true
	workerCommit                   // a worker's commit fails, and may have happened
	failsOnce                      // a step fails and may be retried
	failsForGood                   // a step fails finally
	callerLeaves                   // a caller hears nothing in time, and asks again
	faultKinds
)

func (f fault) String() string {
	return [faultKinds]string{
		"store fails before applying", "store fails after applying", "store away", "broker away", "publish lost",
		"publish unconfirmed", "zombie publish", "unroutable", "queue deleted", "duplicated", "delayed", "connection lost",
		"dead-lettered", "replica crash", "replica pause", "clock skew", "worker crash", "worker silent", "worker rejects",
		"worker slow", "deadline passed before work", "reply repeated", "reply contradicted", "worker's commit unknown",
		"step fails once", "step fails for good", "caller leaves",
	}[f]
}

// rates are the probabilities of the faults that are drawn where they can happen. The others have a time of their own.
func rates() [faultKinds]float64 {
	return [faultKinds]float64{
		storeFailsBefore: 0.02, storeFailsAfter: 0.02,
		publishLost: 0.02, publishStored: 0.02, publishZombie: 0.03,
		duplicated: 0.03, delayed: 0.04, connectionLost: 0.02,
		workerSilent: 0.02, workerRejects: 0.01, workerSlow: 0.03, workerRepeats: 0.05, workerContradicts: 0.002,
		workerCommit: 0.03, failsOnce: 0.08, failsForGood: 0.04,
		replicaSkew: 0.3,
	}
}

// happens draws whether a fault happens here and now. After the healing none does.
func (w *World) happens(f fault) bool {
	if w.healed || !w.hit(w.rates[f]) {
		return false
	}
	w.count(f)
	return true
}

func (w *World) count(f fault) {
	w.Faults[f]++
	w.mix(uint64(f))
}
