package chaos

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// In these scenarios the services misbehave: each adds sagas whose scripts ask for it to the load.

func loseReplies(fx *fixture) int {
	fx.startMany(times(200, 10), "linear", map[string]Behaviour{"second": Mute})
	fx.atRest()
	return fx.notes("mute")
}

// inRounds starts sagas a few at a time, so that held commands do not keep others from the workers.
func (fx *fixture) inRounds(rounds int, definition string, script map[string]Behaviour) {
	for range rounds {
		fx.startMany(10, definition, script)
		fx.atRest()
		fx.let(4 * BriefTimeout) // until held and late messages have arrived
	}
}

// timedOutOnce: the steps whose replies were lost timed out, and no other steps of these sagas.
func timedOutOnce(fx *fixture, e evidence) []string {
	return unequal("timeouts for lost replies", e.entriesOf(saga.EntryStepTimedOut), fx.notes("mute"))
}

func succeedLate(fx *fixture) int {
	fx.inRounds(times(10, 1), "brief", map[string]Behaviour{"only": Late})
	return fx.notes("late")
}

func contradict(fx *fixture) int {
	fx.inRounds(times(10, 1), "linear", map[string]Behaviour{"second": Contradict})
	fx.inRounds(times(10, 1), "linear", map[string]Behaviour{"second": Deny})
	return fx.notes("contradict")
}

// firstAnswerWins: a saga whose step succeeded first is completed, one whose step failed first is compensated.
func firstAnswerWins(fx *fixture, e evidence) []string {
	var faults []string
	for id, answer := range e.answered {
		wanted := saga.Completed
		if fx.load.known[id].Script["second"] == Deny {
			wanted = saga.Compensated
		}
		if answer.Status != wanted {
			faults = append(faults, fmt.Sprintf("%s is %s, its first answer requires %s", id, answer.Status, wanted))
		}
	}
	return faults
}

func overtake(fx *fixture) int {
	fx.inRounds(times(8, 1), "brief", map[string]Behaviour{"only": Hold})
	return fx.notes("hold")
}

// nothingTookEffect: a command that arrives after its compensation takes no effect.
func nothingTookEffect(fx *fixture, _ evidence) []string {
	return unequal("effects", countIn(fx.ledger, `select count(*) from ledger`), 0)
}

func refuseToCompensate(fx *fixture) int {
	n := times(100, 10)
	ids := fx.startMany(n, "linear", map[string]Behaviour{"third": Decline, "second/compensate": Reluctant})
	fx.await(60*time.Second, "they should all be stuck", func() bool {
		return fx.count(`select count(*) from sagas where status = 'stuck'`) == n
	})
	fx.sideBySide(8, n, func(i int) {
		fx.anyAPI(i).must(fx.t, http.MethodPost, "/v1/sagas/"+ids[i]+"/retry", map[string]any{"reason": "the service accepts it now"}, nil, http.StatusOK)
	})
	fx.atRest()
	return n
}

// noneIsStuck: every compensation that the operator retried succeeded.
func noneIsStuck(_ *fixture, e evidence) []string {
	stuck := 0
	for _, answer := range e.answered {
		if answer.Status == saga.Stuck {
			stuck++
		}
	}
	return unequal("stuck sagas", stuck, 0)
}

func crossAttempts(fx *fixture) int {
	fx.inRounds(times(10, 1), "again", map[string]Behaviour{"only": Cross})
	return fx.notes("cross")
}

// advancedOnce: two replies advance the saga by one step.
func advancedOnce(_ *fixture, e evidence) []string {
	return unequal("steps forward", e.entriesOf(saga.EntryStepSucceeded), len(e.answered))
}

// poisonCommands sends commands that kill every worker that takes them.
func poisonCommands(fx *fixture) int {
	whole := fx.broken()
	var stops []func() int
	for _, p := range fx.workers {
		stops = append(stops, p.keep())
	}
	n := times(4, 1)
	fx.startMany(n, "brief", map[string]Behaviour{"only": Lethal})
	fx.await(90*time.Second, "the poisoned sagas should have ended", func() bool {
		return fx.count(`select count(*) from sagas where definition = 'brief' and finished_at is null`) == 0
	})
	fx.let(5 * time.Second) // until the remaining deliveries
	for _, stop := range stops {
		stop()
	}
	whole()
	return fx.deliveries()
}

// fiveDeliveries: a message that kills its workers is dead-lettered soon.
func fiveDeliveries(fx *fixture, _ evidence) []string {
	if n := fx.deliveries(); n > 5 {
		return []string{fmt.Sprintf("a poisoned command was delivered %d times", n)}
	}
	return nil
}

// repeatEverything delivers every command and every reply many times, and compares the sagas with others that got each
// once.
func repeatEverything(fx *fixture) int {
	fx.sideBySide(2, times(20, 2), func(i int) { fx.startOne("patient", Data{Number: i, Copies: times(100, 20)}) })
	fx.startMany(5, "patient", nil)
	fx.atRest()
	return fx.notes("command repeated")
}

// sameHistories: repeated messages leave the same history.
func sameHistories(_ *fixture, e evidence) []string {
	histories := make(map[string]string)
	for _, one := range e.entries {
		if one.Type == saga.EntryStepDelayed || one.Type == saga.EntryStepPublished {
			continue // the time in the outbox does not depend on the messages
		}
		histories[one.SagaID] += fmt.Sprintf("%s %s %d\n", one.Type, one.Step, one.Attempt)
	}
	different := make(map[string]bool)
	for _, history := range histories {
		different[history] = true
	}
	return unequal(fmt.Sprintf("different histories %q", slices.Collect(maps.Keys(different))), len(different), 1)
}

// atRest waits until all sagas have ended.
func (fx *fixture) atRest() {
	fx.await(120*time.Second, "the sagas should have ended", func() bool {
		return fx.count(`select count(*) from sagas where status not in ('completed', 'compensated', 'abandoned', 'stuck')`) == 0
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
