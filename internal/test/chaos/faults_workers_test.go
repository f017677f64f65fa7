package chaos

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Here the services misbehave: each scenario brings sagas whose scripts ask for it, beside the load.

func loseReplies(w *world) int {
	w.startMany(times(200, 10), "linear", map[string]Behaviour{"second": Mute})
	w.atRest()
	return w.notes("mute")
}

// inRounds starts sagas a few at a time, so that commands which lie about do not keep others from the workers.
func (w *world) inRounds(rounds int, definition string, script map[string]Behaviour) {
	for range rounds {
		w.startMany(10, definition, script)
		w.atRest()
		w.let(4 * BriefTimeout) // until what was held, or is late, has come
	}
}

// timedOutOnce: the steps whose replies were lost timed out, and no others of these sagas.
func timedOutOnce(w *world, e evidence) []string {
	return unequal("timed out, of what was lost", e.entriesOf(saga.EntryStepTimedOut), w.notes("mute"))
}

func succeedLate(w *world) int {
	w.inRounds(times(10, 1), "brief", map[string]Behaviour{"only": Late})
	return w.notes("late")
}

func contradict(w *world) int {
	w.inRounds(times(10, 1), "linear", map[string]Behaviour{"second": Contradict})
	w.inRounds(times(10, 1), "linear", map[string]Behaviour{"second": Deny})
	return w.notes("contradict")
}

// firstAnswerWins: a saga whose step succeeded first is completed, one whose step failed first is compensated.
func firstAnswerWins(w *world, e evidence) []string {
	var faults []string
	for id, answer := range e.answered {
		wanted := saga.Completed
		if w.load.known[id].Script["second"] == Deny {
			wanted = saga.Compensated
		}
		if answer.Status != wanted {
			faults = append(faults, fmt.Sprintf("%s is %s, its first answer says %s", id, answer.Status, wanted))
		}
	}
	return faults
}

func overtake(w *world) int {
	w.inRounds(times(8, 1), "brief", map[string]Behaviour{"only": Hold})
	return w.notes("hold")
}

// nothingTookEffect: a command that comes after its compensation does nothing.
func nothingTookEffect(w *world, _ evidence) []string {
	return unequal("effects", countIn(w.ledger, `select count(*) from ledger`), 0)
}

func refuseToUndo(w *world) int {
	n := times(100, 10)
	ids := w.startMany(n, "linear", map[string]Behaviour{"third": Decline, "second/undo": Reluctant})
	w.await(60*time.Second, "they should all be stuck", func() bool {
		return w.count(`select count(*) from sagas where status = 'stuck'`) == n
	})
	w.sideBySide(8, n, func(i int) {
		w.anyAPI(i).must(w.t, http.MethodPost, "/v1/sagas/"+ids[i]+"/retry", map[string]any{"reason": "it can be undone now"}, nil, http.StatusOK)
	})
	w.atRest()
	return n
}

// noneIsStuck: what a person has asked for again came off.
func noneIsStuck(_ *world, e evidence) []string {
	stuck := 0
	for _, answer := range e.answered {
		if answer.Status == saga.Stuck {
			stuck++
		}
	}
	return unequal("stuck sagas", stuck, 0)
}

func crossAttempts(w *world) int {
	w.inRounds(times(10, 1), "again", map[string]Behaviour{"only": Cross})
	return w.notes("cross")
}

// advancedOnce: two replies, one step forward.
func advancedOnce(_ *world, e evidence) []string {
	return unequal("steps forward", e.entriesOf(saga.EntryStepSucceeded), len(e.answered))
}

// poisonCommands sends commands that kill every worker that takes them.
func poisonCommands(w *world) int {
	whole := w.broken()
	var stops []func() int
	for _, p := range w.workers {
		stops = append(stops, p.keep())
	}
	n := times(4, 1)
	w.startMany(n, "brief", map[string]Behaviour{"only": Lethal})
	w.await(90*time.Second, "they should have ended", func() bool {
		return w.count(`select count(*) from sagas where definition = 'brief' and finished_at is null`) == 0
	})
	w.let(5 * time.Second) // what is still delivered
	for _, stop := range stops {
		stop()
	}
	whole()
	return w.deliveries()
}

// fiveDeliveries: a message that kills its workers is put aside soon.
func fiveDeliveries(w *world, _ evidence) []string {
	if n := w.deliveries(); n > 5 {
		return []string{fmt.Sprintf("a poisoned command was delivered %d times", n)}
	}
	return nil
}

// repeatEverything has every command and every reply come many times, and compares with sagas where all came once.
func repeatEverything(w *world) int {
	w.sideBySide(2, times(20, 2), func(i int) { w.startOne("patient", Data{Number: i, Copies: times(100, 20)}) })
	w.startMany(5, "patient", nil)
	w.atRest()
	return w.notes("command repeated")
}

// sameHistories: however often everything came, what happened is the same.
func sameHistories(_ *world, e evidence) []string {
	histories := make(map[string]string)
	for _, one := range e.entries {
		if one.Type == saga.EntryStepDelayed || one.Type == saga.EntryStepPublished {
			continue // how long a command lay in the outbox is not the messages' doing
		}
		histories[one.SagaID] += fmt.Sprintf("%s %s %d\n", one.Type, one.Step, one.Attempt)
	}
	different := make(map[string]bool)
	for _, history := range histories {
		different[history] = true
	}
	return unequal(fmt.Sprintf("different histories %q", slices.Collect(maps.Keys(different))), len(different), 1)
}

// atRest waits until no saga moves any more.
func (w *world) atRest() {
	w.await(120*time.Second, "the sagas should have ended", func() bool {
		return w.count(`select count(*) from sagas where status not in ('completed', 'compensated', 'abandoned', 'stuck')`) == 0
	})
}

func (e evidence) entriesOf(kind saga.EntryType) int {
	n := 0
	for _, one := range e.entries {
		if one.Type == kind {
			n++
		}
	}
	return n
}

func unequal(what string, have, want int) []string {
	if have == want {
		return nil
	}
	return []string{fmt.Sprintf("%s: %d, not %d", what, have, want)}
}
