package sim

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/oklog/ulid/v2"
)

// schedule is the time and chance of a simulation. Everything that happens is an event in its queue, at a drawn time,
// so one seed gives one order of events.
type schedule struct {
	now     time.Duration // since the start of the simulation
	chance  *rand.Rand
	queue   events
	events  uint64 // scheduled so far
	current *task  // the running task; nil between two
	digest  uint64 // of everything that happened
}

// event resumes a task or calls a function at a time.
type event struct {
	at      time.Duration
	order   uint64 // breaks ties
	process *process
	task    *task
	turn    uint64 // of the task; if the task has moved on, the event is void
	do      func()
}

func newSchedule(seed uint64) *schedule {
	return &schedule{chance: rand.New(rand.NewPCG(seed, 0)), digest: 14695981039346656037}
}

// time returns the true time, which is also the clock of the store.
func (s *schedule) time() time.Time { return epoch().Add(s.now) }

func epoch() time.Time { return time.Unix(1_900_000_000, 0).UTC() }

// after calls a function later, unless its process is dead by then.
func (s *schedule) after(p *process, wait time.Duration, do func()) {
	s.push(event{at: s.now + wait, process: p, do: do})
}

func (s *schedule) push(e event) {
	s.events++
	e.order = s.events
	s.queue.push(e)
}

// run processes events until done returns true. It returns false if the time is up first.
func (s *schedule) run(until time.Duration, done func() bool) bool {
	for !done() {
		if len(s.queue) == 0 || s.queue[0].at > until {
			s.now = max(s.now, until)
			return false
		}
		s.step()
	}
	return true
}

// step processes the next event.
func (s *schedule) step() {
	next := s.queue.pop()
	s.now = max(s.now, next.at)
	switch {
	case next.process.dead || next.task != nil && (next.task.over || next.task.turn != next.turn):
		return
	case next.process.frozenUntil > s.now:
		next.at = next.process.frozenUntil
		s.push(next)
		return
	}
	s.mix(uint64(next.at), next.order)
	if next.task == nil {
		next.do()
		return
	}
	s.current = next.task
	next.task.resume()
	s.current = nil
}

// mix adds numbers to the digest.
func (s *schedule) mix(numbers ...uint64) {
	for _, n := range numbers {
		s.digest = (s.digest ^ n) * 1099511628211
	}
}

// mixText adds a text to the digest.
func (s *schedule) mixText(text string) {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(text)) // a hash never fails to write
	s.mix(hash.Sum64())
}

// hit returns true with that probability.
func (s *schedule) hit(probability float64) bool { return s.chance.Float64() < probability }

// between draws a duration.
func (s *schedule) between(least, most time.Duration) time.Duration {
	return least + time.Duration(s.chance.Int64N(int64(most-least)+1))
}

// newID makes a ULID from the simulated time and chance.
func (s *schedule) newID() string {
	var entropy [16]byte
	binary.BigEndian.PutUint64(entropy[:], s.chance.Uint64())
	binary.BigEndian.PutUint64(entropy[8:], s.chance.Uint64())
	id := ulid.ULID(entropy)
	if err := id.SetTime(ulid.Timestamp(s.time())); err != nil {
		panic(err) // the simulation ends before the year 10889
	}
	return id.String()
}
