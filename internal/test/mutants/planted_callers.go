package main

func surface() layer { return layer{"api", []string{"./api"}} }

// callerMutants returns defects at the boundary to HTTP callers.
func callerMutants() []mutant {
	seen := []layer{surface()}
	return []mutant{
		{
			"HEAD not answered", "api/api.go",
			"refuseAmbiguity, middleware.GetHead)", "refuseAmbiguity, middleware.NoCache)", seen,
		},
		{
			"an empty filter that selects everything", "api/http_query.go",
			"case blank:", "case blank && repeatable:", seen,
		},
		{
			"streams without a share", "api/http_shares.go",
			"case r.streams && ctx.Method() != http.MethodHead:", "case r.streams && ctx.Method() == http.MethodHead:", seen,
		},
		{
			"a probe that queries the database itself", "api/health_readiness.go",
			"health := s.Monitor.health(r.Context())", "s.Monitor.look(r.Context())\n\thealth := s.Monitor.health(r.Context())", seen,
		},
		{
			"readiness that never becomes stale", "api/health_monitor.go",
			"if time.Since(m.lookAt) <= knownFor {", "if time.Since(m.lookAt) <= knownFor || running {", seen,
		},
		{
			"a query of the broker that ends with its caller", "api/queues_inspection.go",
			"i.ask(context.WithoutCancel(ctx), unknown)", "i.ask(ctx, unknown)", seen,
		},
		{
			"a write request from a page of another site", "api/http_local.go",
			"case protection.Check(r) != nil:", "case protection.Check(r) != nil && r.Method == \"\":", seen,
		},
		{
			"an unreadable saga fails its list", "api/unreadable.go",
			"\t\treturn shown, nil\n\t}\n\tdefinition,", "\t\treturn resource.Saga{}, stored.Unreadable\n\t}\n\tdefinition,", seen,
		},
	}
}
