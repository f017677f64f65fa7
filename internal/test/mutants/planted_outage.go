package main

// outageMutants returns defects by which a store that takes no changes turns outcomes around, or hides what happened.
func outageMutants() []mutant {
	return []mutant{
		{
			"a stale alarm that keeps a saga from being woken", "internal/engine/background.go",
			"return pending && !known.wakeAt.After(due.WakeAt)", "return pending && known != nil",
			[]layer{{"outages", []string{"./internal/engine", "-run", "StaleAlarm"}}},
		},
		{
			"timers before the replies that waited for the store", "internal/engine/storing.go",
			"return s.out() || now.Sub(s.recovered) < repliesFirst &&", "return s.out() && now.Before(s.recovered) &&",
			[]layer{{"outages", []string{"./internal/engine", "-run", "RepliesThatWaited"}}},
		},
		{
			"a saga that alone cannot be stored, taken for an outage", "store/writefaults.go",
			`saga == "" || !f.sagas[saga] && `, "",
			[]layer{{"readiness", []string{"./store", "-run", "TriggersRefuseChanges"}}},
		},
		{
			"a reply that was refused, not shown with its command", "store/commandletters.go",
			"reason in ('malformed_reply',", "reason in ('none',",
			[]layer{{"dead letters", []string{"./store", "-run", "Suite/dead_letters"}}},
		},
	}
}
