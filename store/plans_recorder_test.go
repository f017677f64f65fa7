package store

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// recorder records the statements that a store executes.
type recorder struct {
	mutex    sync.Mutex
	executed []executed
}

type executed struct {
	text      string
	arguments []any
}

func (r *recorder) add(text string, arguments []any) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.executed = append(r.executed, executed{text, arguments})
}

func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, query pgx.TraceQueryStartData) context.Context {
	r.add(query.SQL, query.Args)
	return ctx
}

func (r *recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (r *recorder) TraceBatchStart(ctx context.Context, _ *pgx.Conn, batch pgx.TraceBatchStartData) context.Context {
	for _, query := range batch.Batch.QueuedQueries {
		r.add(query.SQL, query.Arguments)
	}
	return ctx
}

func (r *recorder) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (r *recorder) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// take returns what was recorded since the last call.
func (r *recorder) take() []executed {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	taken := r.executed
	r.executed = nil
	return taken
}

// plans are what the statements of a call read.
type plans struct {
	scanned []string // tables without a bound that were read as a whole
	blocks  int      // pages of 8 KiB, in memory or not
	text    string   // the most expensive plan
}

// plansOf executes the recorded statements that read large tables once more, with the settings of the call, in a
// transaction that is rolled back.
func plansOf(t *testing.T, s *Store, recorded []executed) (found plans) {
	t.Helper()
	large := regexp.MustCompile(`(from|join|using|update) \(?(sagas|saga_decisions|dead_letters|outbox|idempotency_keys|bulk_items)\b`)
	most := -1
	read := func(tx pgx.Tx) error {
		for _, e := range recorded {
			if strings.HasPrefix(e.text, "set local ") {
				if _, err := tx.Exec(t.Context(), e.text); err != nil {
					return err
				}
			}
			if !large.MatchString(e.text) {
				continue
			}
			var text []byte
			var answer []struct{ Plan costNode }
			if err := tx.QueryRow(t.Context(), "explain (analyze, buffers, timing off, format json) "+e.text, e.arguments...).Scan(&text); err != nil {
				return fmt.Errorf("%s: %w", e.text, err)
			}
			if err := json.Unmarshal(text, &answer); err != nil {
				return err
			}
			plan := answer[0].Plan
			blocks := plan.Hit + plan.Read
			found.scanned = append(found.scanned, plan.scanned()...)
			if found.blocks += blocks; blocks > most {
				most, found.text = blocks, string(text)
			}
		}
		return nil
	}
	for _, e := range recorded {
		if strings.HasPrefix(e.text, "begin isolation level repeatable read") {
			require.NoError(t, s.survey(t.Context(), read))
			return found
		}
	}
	tx, err := s.pool.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, read(tx))
	require.NoError(t, tx.Rollback(t.Context()))
	return found
}

type costNode struct {
	Type     string `json:"Node Type"`
	Relation string `json:"Relation Name"`
	Hit      int    `json:"Shared Hit Blocks"`
	Read     int    `json:"Shared Read Blocks"`
	Plans    []costNode
}

func (n *costNode) scanned() (relations []string) {
	// Dead letters have a bound, the outbox is as long as what it delays, and the items of a single action are all there are.
	if unbounded := []string{"sagas", "saga_decisions", "idempotency_keys"}; n.Type == "Seq Scan" && slices.Contains(unbounded, n.Relation) {
		relations = append(relations, n.Relation)
	}
	for i := range n.Plans {
		relations = append(relations, n.Plans[i].scanned()...)
	}
	return relations
}
