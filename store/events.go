package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/seal"
)

const (
	insertEvents = `insert into events (sink, at, subject, seq, type, definition, data)
		select unnest($1::text[]), unnest($2::timestamptz[]), unnest($3::text[]), unnest($4::bigint[]), unnest($5::text[]),
			unnest($6::text[]), unnest($7::text[])::json on conflict do nothing`
	insertOneEvent = `insert into events (sink, at, subject, seq, type, definition, data)
		select ($1::text[])[1], ($2::timestamptz[])[1], ($3::text[])[1], ($4::bigint[])[1], ($5::text[])[1],
			($6::text[])[1], ($7::text[])[1]::json on conflict do nothing`

	// nextEvents reads in the order of the key. A saga's earlier event was committed before its later one, and its time is
	// not later, so no page has the later one without the earlier one.
	nextEvents = `select at, subject, seq, type, definition, data, ctid::text from events where sink = $1 order by at, subject, seq limit $2`

	// deleteEvents finds rows by their place in the table, at an eighth of the cost of the index. A row never changes; one that
	// was moved since stays, and is published again. The empty text keeps the planner from the index: as long as its statistics
	// are those of an empty table, it would compare each row with each place.
	deleteEvents = `delete from events e
		using (select unnest($2::text[])::tid as place, unnest($3::text[]) as subject, unnest($4::bigint[]) as seq) n
		where e.ctid = n.place and e.sink || '' = $1 and e.subject = n.subject and e.seq = n.seq`
)

// eventColumns are events, one array per column.
type eventColumns struct {
	sinks, subjects, types, definitions, data []string
	ats                                       []time.Time
	seqs                                      []int64
}

func eventColumnsOf(keys *seal.Keys, events []record.Event) eventColumns {
	n := len(events)
	c := eventColumns{
		sinks: make([]string, n), subjects: make([]string, n), types: make([]string, n), definitions: make([]string, n),
		data: make([]string, n), ats: make([]time.Time, n), seqs: make([]int64, n),
	}
	for i := range events {
		e := &events[i]
		c.sinks[i], c.subjects[i], c.types[i], c.definitions[i] = string(e.Sink), cleaned(e.Subject), e.Type, e.Definition
		c.data[i], c.ats[i], c.seqs[i] = string(keys.JSON(c.subjects[i], eventPlace(e.Seq), e.Data)), e.At, e.Seq
	}
	return c
}

func (s *Store) queueEvents(b *pgx.Batch, events []record.Event) {
	if len(events) == 0 {
		return
	}
	c := eventColumnsOf(s.keys, events)
	b.Queue(forRows(len(events), insertOneEvent, insertEvents), c.sinks, c.ats, c.subjects, c.seqs, c.types, c.definitions, c.data)
}

// unreadableEvent is the data of an event whose own cannot be read. So it holds up no other, and its subscribers see that there was one.
const unreadableEvent = `{"unreadable": "the data of this event cannot be read"}`

// NextEvents returns up to limit events that a sink has not taken. Those of one subject are in their order.
func (s *Store) NextEvents(ctx context.Context, sink record.Sink, limit int) (found []record.Event, err error) {
	rows, err := s.pool.Query(ctx, nextEvents, sink, limit)
	if err == nil {
		found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (e record.Event, err error) {
			e.Sink = sink
			err = row.Scan(timeInto{&e.At}, &e.Subject, &e.Seq, &e.Type, &e.Definition, (*[]byte)(&e.Data), &e.Place)
			return e, err
		})
	}
	lacking := sync.OnceValue(func() error { return s.lackedKeys(ctx, s.pool) })
	for i := 0; i < len(found) && err == nil; i++ {
		e := &found[i]
		plain, sealed := s.keys.OpenJSON(e.Subject, eventPlace(e.Seq), e.Data)
		if sealed != nil {
			plain, err = []byte(unreadableEvent), lacking()
		} else if checkNesting(plain) != nil {
			plain = []byte(unreadableEvent)
		}
		e.Data = plain
	}
	if err != nil {
		return nil, fmt.Errorf("read the events for %s: %w", sink, err)
	}
	return found, nil
}

// ForgetEvents deletes events that a sink has taken.
func (s *Store) ForgetEvents(ctx context.Context, sink record.Sink, taken []record.Event) error {
	n := len(taken)
	places, subjects, seqs := make([]string, n), make([]string, n), make([]int64, n)
	for i := range taken {
		places[i], subjects[i], seqs[i] = taken[i].Place, taken[i].Subject, taken[i].Seq
	}
	err := retried(ctx, func() error {
		_, err := s.pool.Exec(ctx, deleteEvents, sink, places, subjects, seqs)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete %d events for %s: %w", n, sink, err)
	}
	return nil
}
