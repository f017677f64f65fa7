package main

func queueRules() layer { return layer{"queue rules", []string{"./store", "-run", "Suite/queues"}} }

// queueMutants returns defects of queues that are paused, capped or throttled.
func queueMutants() []mutant {
	queues, relayed := []layer{queueRules()}, []layer{publishing()}
	return []mutant{
		{
			"a cap that holds back compensations", "store/held.go",
			"if c.ID.Direction == saga.Compensate {", "if c.ID.Direction == saga.Compensate && c == nil {", queues,
		},
		{
			"a pause that lets compensations through", "internal/record/queuesettings.go",
			"return s.Paused || direction == saga.Execute && !s.Free()", "return direction == saga.Execute && !s.Free()",
			relayed,
		},
		{
			"a cap counted per replica", "store/gauge.go",
			"from queue_settings where queue = $1 for update skip locked", "from queue_settings where queue = $1", queues,
		},
		{
			"a cap that forgets what was out before", "store/gauge.go",
			"g.counting = g.MaxOut > 0 && !counted", "g.counting = false && !counted", queues,
		},
		{
			"priorities ignored", "store/held.go",
			"return ranks - int16(c.Priority)", "return ranks", queues,
		},
		{
			"a release that forgets the publisher that died", "store/release.go",
			"if !g.Free() {", "if !g.Free() && ctx == nil {", queues,
		},
		{
			"commands of a capped queue claimed like others", "internal/relay/relay.go",
			"append(r.gates.list(false), r.controls.controlled()...)", "r.gates.list(false)",
			relayed,
		},
		{
			"a withdrawn command that is sent", "store/write.go",
			"queueWithdrawn(b, w.changes.Withdrawn)", "queueWithdrawn(b, nil)", queues,
		},
		{
			"a command that was sent before, withdrawn", "store/held.go",
			"o.held_rank is not null and coalesce(o.attempts, 0) = 0", "o.held_rank is not null and coalesce(o.attempts, 0) >= 0", queues,
		},
		{
			"a held pivot that a cancel waits for", "saga/withdraw.go",
			"t.next.TurnBack != nil && i == t.def.graph.pivot", "t.next.TurnBack != nil && i < 0",
			[]layer{specifications(), modelCheck()},
		},
		{
			"a deadline that does not end the rewind of a pivot that is out", "saga/timer.go",
			"t.next.TurnBack, t.next.Rewind = &why, nil", "t.next.TurnBack = &why",
			[]layer{modelCheck(), specifications()},
		},
		{
			"a withdrawal of what goes forward", "saga/withdraw.go",
			"awaited && t.active(i) && t.getsNoRetry(i)", "(awaited || i >= 0) && t.active(i)",
			[]layer{modelCheck(), specifications()},
		},
		{
			"a failure beside a held command that nothing follows", "internal/engine/decide.go",
			"if e.mayWithdraw(ended, s) {", "if e.mayWithdraw(ended, s) && now.IsZero() {",
			[]layer{engines()},
		},
	}
}
