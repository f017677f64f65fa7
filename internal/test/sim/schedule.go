package sim

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/oklog/ulid/v2"
)

// schedule is time and chance of a simulated world. Everything that happens is an event in its queue, and takes its
// place by a time that was drawn: so one seed is exactly one order of everything.
type schedule struct {
	now     time.Duration // since the world began
	chance  *rand.Rand
	queue   events
	events  uint64 // scheduled so far
	current *task  // the activity that runs; nil between two
	digest  uint64 // of all that has happened
}

// event is something that happens at a time: an activity goes on, or a function is called.
type event struct {
	at      time.Duration
	order   uint64 // breaks ties
	process *process
	task    *task
	turn    uint64 // of the task; when it has moved on, the event is void
	do      func()
}

func newSchedule(seed uint64) *schedule {
	return &schedule{chance: rand.New(rand.NewPCG(seed, 0)), digest: 14695981039346656037} //nolint:gosec // a replayable draw
}

// time is the world's true time, which is also the store's clock.
func (s *schedule) time() time.Time { return epoch().Add(s.now) }

func epoch() time.Time { return time.Unix(1_900_000_000, 0).UTC() }

// after has a function called, unless its process is dead by then.
func (s *schedule) after(p *process, wait time.Duration, do func()) {
	s.push(event{at: s.now + wait, process: p, do: do})
}

func (s *schedule) push(e event) {
	s.events++
	e.order = s.events
	s.queue.push(e)
}

// run lets things happen until done says so, and is false when the time is up first.
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

// step lets the next thing happen.
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

// mix makes numbers part of the digest.
func (s *schedule) mix(numbers ...uint64) {
	for _, n := range numbers {
		s.digest = (s.digest ^ n) * 1099511628211
	}
}

// mixText makes a text part of the digest.
func (s *schedule) mixText(text string) {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(text)) // a hash never fails to write
	s.mix(hash.Sum64())
}

// hit is true with that probability.
func (s *schedule) hit(probability float64) bool { return s.chance.Float64() < probability }

// between draws a duration.
func (s *schedule) between(least, most time.Duration) time.Duration {
	return least + time.Duration(s.chance.Int64N(int64(most-least)+1))
}

// newID makes a ULID of the world's time and chance.
func (s *schedule) newID() string {
	var entropy [16]byte
	binary.BigEndian.PutUint64(entropy[:], s.chance.Uint64())
	binary.BigEndian.PutUint64(entropy[8:], s.chance.Uint64())
	id := ulid.ULID(entropy)
	if err := id.SetTime(ulid.Timestamp(s.time())); err != nil {
		panic(err) // the world does not last until the year 10889
	}
	return id.String()
}
