package main

func retentionRules() layer {
	return layer{"retention rules", []string{"./store", "-run", "Suite/retention|Deleted"}}
}

func retaining() layer { return layer{"retention", []string{"./internal/operate"}} }

// retentionMutants returns defects of what deletes old sagas.
func retentionMutants() []mutant {
	stored := []layer{retentionRules()}
	return []mutant{
		{
			"retention that deletes what needs attention", "store/retention.go",
			"and s.attention_reason is null and (", "and (", stored,
		},
		{
			"a key that goes with its saga", "store/retention.go",
			" and $2 > interval '0' and s.finished_at + $2 < now() as frees", " and $2 > interval '0' as frees", stored,
		},
		{
			"a saga deleted in another state than the archived one", "store/retention.go",
			"and ($6::text[] is null or ", "and ($6::text[] is null or $6::text[] is not null or ", stored,
		},
		{
			"a saga deleted though it was not archived", "internal/operate/retention.go",
			"r.config.Archive.Write(ctx, doomed); err != nil {", "r.config.Archive.Write(ctx, doomed); err != nil && ctx == nil {",
			[]layer{retaining()},
		},
		{
			"a repeated start that is new once its saga is deleted", "store/claims.go",
			"!stored && !found {", "!stored && !found && found {", stored,
		},
	}
}
