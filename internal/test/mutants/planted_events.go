package main

func eventRules() layer {
	return layer{"event rules", []string{"./store", "-run", "Suite/(events|webhooks)"}}
}

func forwarding() layer { return layer{"events", []string{"./internal/events"}} }

func delivering() layer {
	return layer{"deliveries", []string{"./internal/operate", "-run", "Deliver|Webhook|Receiver|Redirect"}}
}

// eventMutants returns defects of what leaves the orchestrator besides commands.
func eventMutants() []mutant {
	forwarded, delivered := []layer{forwarding()}, []layer{delivering()}
	return []mutant{
		{
			"an event that overtakes an earlier one of its saga", "internal/events/forwarder.go",
			"failed[wave[i].Subject], refused = true, append(refused, refusal{&wave[i], err})", "refused = append(refused, refusal{&wave[i], err})", forwarded,
		},
		{
			"an event that is deleted before it is taken", "internal/events/forwarder.go",
			"if err == nil {\n				taken = append(taken, wave[i])", "if taken = append(taken, wave[i]); err == nil {", forwarded,
		},
		{
			"two replicas that forward at the same time", "internal/events/forwarder.go",
			"f.heldUntil = time.Time{}\n	if held {", "f.heldUntil = time.Time{}\n	if held = true; held {", forwarded,
		},
		{
			"events that are read out of order", "store/events.go",
			"order by at, subject, seq limit $2", "order by subject, at desc limit $2",
			[]layer{eventRules()},
		},
		{
			"an event without a saga's abandonment", "store/abandon.go",
			"select unnest($8::text[]), $5, e.id", "select unnest(($8::text[])[2:]), $5, e.id",
			[]layer{eventRules()},
		},
		{
			"a webhook whose receiver that hangs delays others", "internal/operate/webhooks.go",
			"if free := atOnce - d.running[name]; free > 0 {", "if free := atOnce - len(d.running)*atOnce; free > 0 {", delivered,
		},
		{
			"an event that is lost while a server starts", "internal/operate/webhooks.go",
			"return d.types == nil || d.types[eventType]", "return d.types[eventType]",
			[]layer{{"deliveries", []string{"./internal/operate", "-run", "BeforeTheWebhooksAreRead"}}},
		},
		{
			"a webhook that reaches a metadata service", "internal/record/webhook.go",
			"return address.IsLinkLocalUnicast() || ", "return ", delivered,
		},
		{
			"a signature without the time", "internal/operate/webhooks_send.go",
			`mac.Write([]byte(id + "." + at + "."))`, `mac.Write([]byte(id + "."))`, delivered,
		},
	}
}
