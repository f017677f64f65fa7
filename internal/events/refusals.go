package events

import (
	"errors"
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

const (
	// maxRefusedPause bounds the pause of a subject whose event is refused again and again.
	maxRefusedPause = 30 * time.Second
	// maxRefused bounds the subjects that pause. Beyond it a refusal pauses the sink.
	maxRefused = 1000
	// maxShownID bounds the ids in the log, in bytes.
	maxShownID = 200
)

// refusal is an event that the sink has not taken.
type refusal struct {
	event *record.Event
	err   error
}

func (r refusal) id() string { return shownID(r.event) }

func shownID(e *record.Event) string {
	id := e.ID()
	return id[:min(len(id), maxShownID)]
}

// refusals are the subjects whose next event the sink refuses while it takes others. Each has its own pause, so that it
// delays no other. Another replica that takes over tries them at once.
type refusals map[string]pause

type pause struct {
	until  time.Time
	length time.Duration
}

// waiting returns the subjects whose pause is not over. It forgets those whose events have gone otherwise.
func (r refusals) waiting(now time.Time) (subjects []string) {
	for subject, pause := range r {
		switch {
		case now.Before(pause.until):
			subjects = append(subjects, subject)
		case now.Sub(pause.until) > maxRefusedPause:
			delete(r, subject)
		}
	}
	return subjects
}

// add begins the next pause of a subject. first reports that it had none. It returns false if there is no room.
func (r refusals) add(subject string, now time.Time) (first, added bool) {
	before, known := r[subject]
	if !known && len(r) >= maxRefused {
		return false, false
	}
	length := min(max(firstPause, 2*before.length), maxRefusedPause)
	r[subject] = pause{now.Add(length), length}
	return !known, true
}

// known reports whether all of them have paused before.
func (r refusals) known(refused []refusal) bool {
	for _, one := range refused {
		if _, known := r[one.event.Subject]; !known {
			return false
		}
	}
	return true
}

// individual reports whether an error concerns its event only, such as one that is too large.
func individual(err error) bool {
	var refused interface{ Refused() bool }
	return errors.As(err, &refused) && refused.Refused()
}

// judge pauses the subjects of refused events if the sink works: it has taken others, it says that the event is at fault, or these alone
// were refused before. Otherwise, and if too many subjects pause, the fault is the sink's.
func (f *Forwarder) judge(taken []record.Event, refused []refusal) (fault error) {
	works := len(taken) > 0 || f.refusals.known(refused)
	for i := range taken {
		delete(f.refusals, taken[i].Subject) // a refusal of this page follows
	}
	now, paused, shown := f.config.Now(), 0, refusal{}
	for _, one := range refused {
		first, added := false, false
		if works || individual(one.err) {
			first, added = f.refusals.add(one.event.Subject, now)
		}
		if !added && fault == nil {
			fault = fmt.Errorf("event %s: %w", one.id(), one.err)
		}
		if first {
			if paused++; paused == 1 {
				shown = one
			}
		}
	}
	if paused > 0 {
		f.config.Logger.Warn("a lifecycle event is refused, and those of its subject wait", "sink", f.config.Name, "event", shown.id(),
			"others", paused-1, "error", shown.err)
	}
	return fault
}

// noteUnreadable logs which events of a page are published without their data.
func (f *Forwarder) noteUnreadable(page []record.Event) {
	unreadable, shown := 0, (*record.Event)(nil)
	for i := range page {
		if page[i].Unreadable != nil {
			if unreadable++; unreadable == 1 {
				shown = &page[i]
			}
		}
	}
	if unreadable > 0 {
		f.config.Logger.Warn("a lifecycle event leaves without its data", "sink", f.config.Name, "event", shownID(shown),
			"others", unreadable-1, "error", shown.Unreadable)
	}
}
