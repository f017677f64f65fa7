package store

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// distributionKeys are the columns by which docs/scale.md distributes the tables of the hot path.
func distributionKeys() map[string]string {
	return map[string]string{
		"sagas": "id", "saga_decisions": "saga_id", "outbox": "saga_id", "idempotency_keys": "key", "business_keys": "key",
	}
}

// A statement that does not carry the key would ask every shard. Only what looks for due work may: it is not part of a decision.
func TestEveryStatementOfADecisionCarriesItsDistributionKey(t *testing.T) {
	t.Parallel()
	recorded := &recorder{}
	s, _ := opened(t, Config{Tracer: recorded})
	w := storetest.NewFixture(t, s)
	recorded.take()
	for _, size := range []int{1, 3} { // a single row has statements of its own
		var batch record.Batch
		var ids []string
		for range size {
			id := storetest.NewID()
			ids, batch.Starts = append(ids, id), append(batch.Starts, w.Claim(id, "i-"+id, "b-"+id))
		}
		require.NoError(t, w.Transact(t.Context(), batch, func(l record.Loaded) (all record.Changes, err error) {
			for _, claim := range batch.Starts {
				changes, err := w.Begin(l, saga.Start{ID: claim.SagaID, Key: claim.Key})
				if err != nil {
					return all, err
				}
				all = joined(all, changes)
			}
			return all, nil
		}))
		for _, step := range []string{"reserve", "charge", "confirm"} {
			batch := record.Batch{SagaIDs: ids}
			for _, id := range ids {
				batch.Confirmed = append(batch.Confirmed, storetest.Execute(id, step))
			}
			require.NoError(t, w.Transact(t.Context(), batch, func(l record.Loaded) (all record.Changes, err error) {
				for _, id := range ids {
					changes, err := w.Decide(l, id, storetest.Succeed(id, step, `{}`))
					if err != nil {
						return all, err
					}
					all = joined(all, changes)
				}
				return all, nil
			}))
		}
		w.Get(ids[0])
	}
	touched := map[string]bool{}
	for _, one := range recorded.take() {
		for table, fault := range undistributed(one.text) {
			touched[table] = true
			assert.Empty(t, fault, one.text)
		}
	}
	for table := range distributionKeys() {
		assert.True(t, touched[table], "no statement touched %s", table)
	}
}

func joined(all, more record.Changes) record.Changes {
	all.Created, all.Updated = append(all.Created, more.Created...), append(all.Updated, more.Updated...)
	all.Entries, all.Commands = append(all.Entries, more.Entries...), append(all.Commands, more.Commands...)
	return all
}

// undistributed returns the distributed tables of a statement, each with what is missing; "" if its key is there.
func undistributed(statement string) map[string]string {
	found := map[string]string{}
	text := regexp.MustCompile(`'[^']*'`).ReplaceAllString(strings.Join(strings.Fields(statement), " "), "literal")
	uses := regexp.MustCompile(`(insert into|from|join|update|using) \(?(sagas|saga_decisions|outbox|idempotency_keys|business_keys)\b(?: as)? ?(\w+)?`)
	for _, use := range uses.FindAllStringSubmatchIndex(text, -1) {
		verb, table, rest := text[use[2]:use[3]], text[use[4]:use[5]], text[use[5]:]
		key, alias := distributionKeys()[table], table
		if use[6] >= 0 && !regexp.MustCompile(`^(set|where|using|join|on|order|limit|values)$`).MatchString(text[use[6]:use[7]]) {
			alias = text[use[6]:use[7]]
		}
		carries := `\b` + alias + `\.` + key + `\b(, \w+(\.\w+)?)*\)? (=|in)|(=|on \() ?` + alias + `\.` + key + `\b|\bwhere \(?` + key + ` (=|in)`
		if verb == "insert into" {
			carries = `^ ?(as \w+ )?\(([^)]*\b)?` + key + `\b`
		} else {
			rest = text
		}
		if !regexp.MustCompile(carries).MatchString(rest) {
			found[table] = table + " without " + key
		} else if found[table] == "" {
			found[table] = ""
		}
	}
	return found
}

func TestAStatementWithoutItsDistributionKeyIsFound(t *testing.T) {
	t.Parallel()
	assert.Equal(t, map[string]string{"sagas": "sagas without id"}, undistributed(`select id from sagas where wake_at < now()`))
	assert.Equal(t, map[string]string{"outbox": "outbox without saga_id"}, undistributed(`delete from outbox o where o.command = $1`))
	assert.Equal(t, map[string]string{"outbox": "outbox without saga_id"}, undistributed(`insert into outbox (command) values ($1)`))
	assert.Equal(t, map[string]string{"sagas": ""}, undistributed(`update sagas s set data = n.data from new n where s.id = n.id`))
}
