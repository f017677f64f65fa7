package main

func engines() layer { return layer{"engine", []string{"./internal/engine", "-timeout", "60s"}} }

func replies() layer { return layer{"replies", []string{"./steps/wire"}} }

// engineMutants returns defects of the isolation between sagas, and of the parsing of replies.
func engineMutants() []mutant {
	engine, read := []layer{engines()}, []layer{replies()}
	return []mutant{
		{
			"an unreadable definition fails its batch", "internal/engine/batch.go",
			"case errors.Is(err, record.ErrUnreadable):\n\t\ts.fault =", "case errors.Is(err, record.ErrUnreadable) && s == nil:\n\t\ts.fault =", engine,
		},
		{
			"a dropped reply for an unreadable saga", "internal/engine/undecidable.go",
			"if r.dead != nil && !r.keepDead {", "if r.dead != nil && r.keepDead {", engine,
		},
		{
			"an expired reply counted as a lost command", "internal/engine/died.go",
			"case wire.DiedInReplies:\n\t\tmessage.Queue", "case \"\" + wire.DiedInReplies + \"?\":\n\t\tmessage.Queue", engine,
		},
		{
			"a slow dead letter counted as a loss", "internal/engine/died.go",
			"d.at.Sub(sent) > quickDeath", "d.at.Sub(sent) < 0", engine,
		},
		{
			"a refused command counted as a loss", "internal/engine/overflow.go",
			"return b.loaded.Unpublished[r.sagaID][lost.Command.String()]", "return b.loaded.Unpublished[r.sagaID][lost.Command.Step]", engine,
		},
		{
			"a dropped command counted as refused", "internal/engine/overflow.go",
			"if !a.inOutbox {", "if true {", engine,
		},
		{
			"a poll that does not page", "internal/engine/background.go",
			"last, more = due[len(due)-1], true", "return true", engine,
		},
		{
			"broken sagas woken in every poll", "internal/engine/background.go",
			"&& !e.quarantine.holds(one.SagaID)", "", engine,
		},
		{
			"a failed batch that is not halved", "internal/engine/lane.go",
			"l.limit = max(1, len(requests)/2)", "l.limit = max(1, len(requests))", engine,
		},
		{
			"a batch without a limit on its bytes", "internal/engine/lane_requests.go",
			"bytes > 0 && bytes+r.bytes > batchBytes", "bytes < 0 && bytes+r.bytes > batchBytes", engine,
		},
		{
			"a measured time held back by the database's clock", "internal/engine/decide_event.go",
			"if now.After(b.now) && r.measured.After(now) {", "if now.After(b.now) && r.measured.Before(now) {", engine,
		},
		{
			"a clear verdict rejected because of its code", "steps/wire/failure.go",
			"said.Code = CleanText(plainText(value), MaxErrorCode)", "_ = json.Unmarshal(value, &said.Code)", read,
		},
		{
			"an output beyond a limit merged into the data", "steps/wire/verdict.go",
			"if read.output != nil && !read.clean {", "if read.output == nil && !read.clean {", read,
		},
		{
			"a history entry for every poll of the outbox", "saga/timer.go",
			"if !t.delayedBefore(i) {", "if !t.delayedBefore(i) || i >= 0 {",
			[]layer{specifications()},
		},
		{
			"no limit on all outputs together", "saga/data.go",
			"case t.outputsBeside(i)+len(r.Output) > MaxOutputsBytes:", "case t.outputsBeside(i)+len(r.Output) < 0:",
			[]layer{specifications()},
		},
	}
}
