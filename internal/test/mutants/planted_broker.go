package main

func publishing() layer { return layer{"relay", []string{"./internal/relay"}} }

// brokerMutants returns defects at the boundary to the broker.
func brokerMutants() []mutant {
	broker, relayed := []layer{brokers()}, []layer{publishing()}
	return []mutant{
		{
			"a broker that dead-letters nothing, taken for sound", "internal/rabbit/deadlettering.go",
			"case is(err, amqp.InternalError):", "case is(err, amqp.InternalError) && name == \"\":",
			[]layer{{"doctor", []string{"./cmd/orchestrator", "-run", "TestTheDoctorFindsABroker"}}},
		},
		{
			"headers passed on that the client library cannot read", "internal/rabbit/frames.go",
			"damage := content.fault(int(r.limits.frame.Load()) - frameOverhead)", `damage := ""`, broker,
		},
		{
			"no limit on the size of a body", "internal/rabbit/frames.go",
			"kept := min(content.bodySize, r.limits.body.Load())", "kept := content.bodySize", broker,
		},
		{
			"a refused message treated as confirmed", "internal/rabbit/flight.go",
			"case !acked:\n\t\treturn wire.Receipt{Outcome: wire.Nacked,", "case !acked && f.id == \"\":\n\t\treturn wire.Receipt{Outcome: wire.Nacked,", broker,
		},
		{
			"an endless wait for a queue without confirms", "internal/rabbit/send.go",
			"case <-patience.C:\n", "case <-ctx.Done():\n\t\t\t\twaiting = false\n\t\t\tcase <-s.gone:\n", broker,
		},
		{
			"a lost channel treated as a lost connection", "internal/rabbit/flight.go",
			"f.suspected = f.awaited && f.written && overOneMessage(reason)", "f.suspected = false", broker,
		},
		{
			"a prefix shared with another installation", "internal/rabbit/ownership.go",
			"if mismatch != nil {\n\t\treturn fmt.Errorf(\"%w: prefix", "if mismatch != nil && fault != nil {\n\t\treturn fmt.Errorf(\"%w: prefix", broker,
		},
		{
			"rows claimed for queues with closed gates", "internal/relay/relay.go",
			"Except: append(r.gates.list(false), r.controls.controlled()...),", "Except: r.controls.controlled(),", relayed,
		},
		{
			"a gate that never opens again", "internal/relay/gates.go",
			"case sent < known.allowed || known.allowed >= openAt:", "case sent < 0:", relayed,
		},
		{
			"a suspect command published with the others", "internal/relay/receipts.go",
			"if suspect(commands[i]) {", "if suspect(commands[i]) && i < 0 {", relayed,
		},
	}
}
