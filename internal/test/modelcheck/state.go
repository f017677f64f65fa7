package modelcheck

import (
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

const maxSteps = 4

// State is a saga with the workers around it.
type State struct {
	Saga saga.Instance
	// Workers is what the workers have done and could still say, step by step; unused among strangers.
	Workers [maxSteps]Worker
	// Decided says that a person has said what became of the pivot: the ledger may then know better.
	Decided bool
	// Waived are the steps that a person has counted as done or as undone.
	Waived uint8
}

// Key identifies a state: two states with the same key behave alike for ever.
type Key [maxSteps + 1]uint64

// now is when everything happens: the walk abstracts from time.
var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a constant, if times could be

// later is when a timer is due that is not due yet; muchLater when all are.
const (
	later     = time.Hour
	muchLater = 3 * time.Hour
)

// normalize moves an instance to the one that stands for all that behave alike: a time says only whether it is set, and
// nothing is due; before the attempts that count there was one more, and before a compensation that is done once more
// one other. The raw instance has been judged before.
func normalize(in saga.Instance) saga.Instance {
	in.Steps = slices.Clone(in.Steps)
	in.CreatedAt, in.UpdatedAt, in.ProgressAt = now, now, now
	move(&in.FinishedAt, now)
	move(&in.StartAt, now.Add(later))
	move(&in.DeadlineAt, now.Add(2*later))
	move(&in.WakeAt, now.Add(later))
	for i := range in.Steps {
		s := &in.Steps[i]
		move(&s.StartedAt, now)
		move(&s.FinishedAt, now)
		move(&s.NextAttemptAt, now.Add(later))
		move(&s.DeadlineAt, now.Add(later))
		older(&s.Attempts, &s.AttemptsForgiven)
		older(&s.CompensationAttempts, &s.CompensationForgiven)
		s.Round = min(s.Round, 2)
	}
	if in.Attention != nil {
		attention := *in.Attention
		attention.Since = now
		in.Attention = &attention
	}
	return in
}

func move(at *time.Time, to time.Time) {
	if !at.IsZero() {
		*at = to
	}
}

// older keeps how many attempts count, and one from before.
func older(attempts, forgiven *int) {
	if *attempts > 0 {
		*attempts, *forgiven = *attempts-*forgiven+1, 1
	}
}

// key leaves out what cannot make a difference any more.
func (s *State) key() Key {
	var k Key
	in := &s.Saga
	forward := in.Phase == saga.PhaseScheduled || in.Phase == saga.PhaseForward
	b := bits{}
	b.put(index(saga.Statuses(), in.Status), 3)
	b.put(index([]saga.Phase{saga.PhaseScheduled, saga.PhaseForward, saga.PhaseBackward, saga.PhaseEnded}, in.Phase), 2)
	b.flags(in.PausedByOperator, in.TurnBack != nil, forward && in.DeadlinePassed, in.Overdue, in.WakeAt.IsZero(), s.Decided)
	b.put(index(saga.Statuses(), in.ReopenedFrom)+1, 4)
	if in.Attention != nil {
		b.put(index(saga.AttentionReasons(), in.Attention.Reason)+1, 3)
	}
	k[0] = b.value
	for i := range in.Steps {
		k[i+1] = stepKey(in, i) | uint64(s.workerKey(i))<<40 //nolint:gosec // a small number
	}
	return k
}

func stepKey(in *saga.Instance, i int) uint64 {
	s := &in.Steps[i]
	ended := in.Phase == saga.PhaseEnded || in.ReopenedFrom != "" && !s.Reopened
	attempts, undoing := 0, 0
	if in.Phase == saga.PhaseForward && in.TurnBack == nil && (s.Status == saga.StepRunning || s.Status == saga.StepRetrying) {
		attempts = s.Attempts - s.AttemptsForgiven
	}
	if s.Status == saga.StepCompensating && !ended {
		undoing = s.CompensationAttempts - s.CompensationForgiven
	}
	b := bits{}
	b.put(index(stepStatuses(), s.Status), 4)
	b.put(attempts, 3)
	b.put(undoing, 3)
	b.flags(s.Round > 1, s.CompensationAttempts > 0, s.Uncertain && !s.TookEffect, s.TookEffect, s.Oversized, s.LateEffect,
		s.LateCompensation, s.Reopened, !ended && !s.NextAttemptAt.IsZero())
	return b.value
}

func stepStatuses() []saga.StepStatus {
	return []saga.StepStatus{
		saga.StepPending, saga.StepRunning, saga.StepRetrying, saga.StepSucceeded, saga.StepFailed, saga.StepUnknown,
		saga.StepSkipped, saga.StepCompensating, saga.StepCompensated, saga.StepCompensationFailed,
	}
}

func index[T comparable](all []T, one T) int { return slices.Index(all, one) }

// bits packs small numbers into one.
type bits struct {
	value uint64
	used  int
}

func (b *bits) put(number, width int) {
	if number < 0 || number >= 1<<width || b.used+width > 64 {
		panic("walk: a state does not fit its key")
	}
	b.value |= uint64(number) << b.used
	b.used += width
}

func (b *bits) flags(all ...bool) {
	for _, is := range all {
		number := 0
		if is {
			number = 1
		}
		b.put(number, 1)
	}
}

// symmetries are the ways to exchange steps that change nothing: same kind, same compensation, same neighbours.
func symmetries(plan *saga.Definition) [][]int {
	var found [][]int
	for _, order := range permutations(len(plan.Steps)) {
		if exchangeable(plan, order) {
			found = append(found, order)
		}
	}
	return found
}

func exchangeable(plan *saga.Definition, order []int) bool {
	place := make(map[string]string, len(order))
	for i, to := range order {
		place[plan.Steps[i].Name] = plan.Steps[to].Name
	}
	for i, to := range order {
		mine, other := &plan.Steps[i], &plan.Steps[to]
		if mine.Kind != other.Kind || (mine.Compensation == "") != (other.Compensation == "") || len(mine.After) != len(other.After) {
			return false
		}
		for _, name := range mine.After {
			if !slices.Contains(other.After, place[name]) {
				return false
			}
		}
	}
	return true
}

// canonical is the least of the keys that a state has when exchangeable steps are exchanged.
func (k Key) canonical(symmetries [][]int) Key {
	least := k
	for _, order := range symmetries {
		var other Key
		other[0] = k[0]
		for i, to := range order {
			other[to+1] = k[i+1]
		}
		if slices.Compare(other[:], least[:]) < 0 {
			least = other
		}
	}
	return least
}
