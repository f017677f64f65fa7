package main

// waitWalk returns the model check of shapes with a step that waits or has a condition, and of sagas that are children.
func waitWalk(steps string) layer {
	return layer{"model check", []string{"./internal/test/modelcheck", "-run", "TestEveryOrderOfEvents/" + steps + "_steps/(special|child)"}}
}

// waitMutants returns defects of waits, conditions, payloads and child sagas (rules 18 to 23).
func waitMutants() []mutant {
	all := append(signalMutants(), payloadMutants()...)
	return append(all, childMutants()...)
}

func signalMutants() []mutant {
	core := []layer{waitWalk("1"), waitWalk("2"), specifications()}
	return []mutant{
		{
			"a signal taken twice", "saga/signal.go",
			"\tcase before != nil:\n", "\tcase before != nil && i < 0:\n", core,
		},
		{
			"a signal from before a retry that counts again", "saga/signal.go",
			"for i := range s.EarlierSignals {", "for i := range s.EarlierSignals[:0] {", core,
		},
		{
			"a signal that comes early and is dropped", "saga/waiting.go",
			"\tif s.Signal != nil {\n\t\tt.takeSignal(i)", "\tif s.Signal != nil && i < 0 {\n\t\tt.takeSignal(i)", core,
		},
		{
			"a signal without its timeout", "saga/waiting.go",
			"if step.Timeout > 0 {\n\t\t\ts.DeadlineAt", "if step.Timeout < 0 {\n\t\t\ts.DeadlineAt", core,
		},
		{
			"a wait that outlasts the turning back of its saga", "saga/forward.go",
			"case s.interruptible():", "case s.interruptible() && i < 0:", core,
		},
		{
			"a wait that was given up and is compensated", "saga/waiting.go",
			"s.Error = &StepError{Code: CodeCancelled, Message: \"the saga turned back while the step waited\"}", "s.Uncertain = true", core,
		},
		{
			"a rewound step that keeps its signal", "saga/rewind.go",
			"EarlierSignals: s.earlierSignals(),", "EarlierSignals: s.earlierSignals(), Signal: s.Signal,", core,
		},
		{
			"a delay that ends early", "saga/waiting.go",
			"s.DeadlineAt = t.in(asDuration(step.Delay))", "s.DeadlineAt = t.now", core,
		},
		{
			"a time in the past that is waited for", "saga/waiting.go",
			"s.DeadlineAt = at\n", "s.DeadlineAt = at.AddDate(1, 0, 0)\n", core,
		},
	}
}

func payloadMutants() []mutant {
	core := []layer{waitWalk("1"), waitWalk("2"), specifications()}
	return []mutant{
		{
			"a false condition that still sends the command", "saga/waiting.go",
			"case !holds:", "case !holds && i < 0:", core,
		},
		{
			"a step skipped by its condition and compensated", "saga/backward.go",
			"return s.TookEffect && s.CompensationAttempts == 0", "return s.CompensationAttempts == 0", core,
		},
		{
			"a condition decided again by a retry", "saga/waiting.go",
			"if t.def.Steps[i].When == \"\" || s.Attempts > 0 {", "if t.def.Steps[i].When == \"\" {", core,
		},
		{
			"an output merged at the top instead of under its name", "saga/data.go",
			"if name := t.def.Steps[i].OutputAs; name != \"\" {", "if name := t.def.Steps[i].OutputAs; name != \"\" && i < 0 {", core,
		},
		{
			"an input that passes the whole data", "saga/waiting.go",
			"if input == nil {\n\t\treturn t.next.Data", "if input == nil || i >= 0 {\n\t\treturn t.next.Data", core,
		},
		{
			"a schema that is not checked", "saga/compile.go",
			"|| outputs[i] == nil {", "|| outputs[i] == nil || i >= 0 {", core,
		},
	}
}

func childMutants() []mutant {
	core := []layer{waitWalk("1"), waitWalk("2"), specifications()}
	return []mutant{
		{
			"a child started once for each delivery", "internal/engine/children.go",
			"SagaID: child.ID, Definition", "SagaID: e.config.NewID(), Definition",
			[]layer{simulation()},
		},
		{
			"a child that starts after its start was refused", "internal/engine/children.go",
			"if err != nil || !wanted {", "if _ = wanted; err != nil {",
			[]layer{engines()},
		},
		{
			"a child that starts while it is turned back, and goes on", "internal/engine/children.go",
			"if err != nil || in == nil || in.Status == saga.Compensated {\n\t\treturn err\n\t}\n\treturn e.unwindChild", "if err != nil || in != nil {\n\t\treturn err\n\t}\n\treturn e.unwindChild",
			[]layer{engines()},
		},
		{
			"a saga that opens again without asking its child", "saga/children_unwind.go",
			"s.Waiting == WaitForChild && s.CompensationAttempts > 0 {\n\t\t\tt.unwindChild(i)", "s.Waiting == WaitForChild && s.CompensationAttempts < 0 {\n\t\t\tt.unwindChild(i)", core,
		},
		{
			"an end of a child that is lost", "saga/children.go",
			"t.messages = append(t.messages, t.next.EndedMessage())", "", core,
		},
		{
			"a cancel that does not reach the child", "saga/backward.go",
			"\tt.unwindChildren()\n", "", core,
		},
		{
			"a report of a child that counts twice", "saga/children_reports.go",
			"if e.Revision > 0 && (", "if e.Revision < 0 && (", core,
		},
		{
			"an abandoned child counted as failed", "saga/children_reports.go",
			"s.Uncertain = true\n\t\tt.fail(i, failure.Code", "t.fail(i, failure.Code", core,
		},
		{
			"a report of an earlier child that counts", "saga/children_reports.go",
			"e.Child == \"\" || t.next.Steps[i].Child() != e.Child {", "e.Child == \"\" {", core,
		},
		{
			"a parent that is done before its child", "saga/children_reports.go",
			"case e.Status == Completed:", "case e.Status == Completed || e.Status == Compensated:", core,
		},
		{
			"an abandoned child that turns back past its pivot", "saga/children_unwind.go",
			"|| t.pivotLeftOut():", ":", core,
		},
	}
}
