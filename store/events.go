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
	// not later, so no page has the later one without the earlier one. It asks for sizes first, so that data which is too large is
	// not loaded, and ends the page after its bytes; the first row is always in it.
	nextEvents = `select e.at, e.subject, e.seq, e.type, e.definition, case when e.size <= $5 then e.data end, e.place, e.size
		from (select n.*, sum(octet_length(n.subject) + case when n.size <= $5 then n.size else 0 end) over w as total, row_number() over w as number
			from (select at, subject, seq, case when octet_length(type) > 1000 then left(type, 250) else type end as type,
				case when octet_length(definition) > 1000 then left(definition, 250) else definition end as definition,
				data, ` + eventSize + ` as size, ctid::text as place
				from events where sink = $1 and subject <> all($3::text[]) order by at, subject, seq limit $2) n
			window w as (order by n.at, n.subject, n.seq rows unbounded preceding)) e
		where e.total <= $4::bigint or e.number = 1`

	// eventSize is the size of the data. What is large even while it is compressed is not decompressed for it.
	eventSize = `case when pg_column_size(data) > $5 then pg_column_size(data) when pg_column_size(data) > 1000 then octet_length(data::text)
		else pg_column_size(data) end`

	// maxEventBytes is far more than the program stores, and what the default settings of every sink take.
	maxEventBytes = 512 << 10

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

// NextEvents returns up to limit events that a sink has not taken, and not more than record.EventPageBytes unless the first one is larger.
// It leaves out those of the excepted subjects. Those of one subject are in their order.
func (s *Store) NextEvents(ctx context.Context, sink record.Sink, limit int, except ...string) (found []record.Event, err error) {
	if except == nil {
		except = []string{}
	}
	rows, err := s.pool.Query(ctx, nextEvents, sink, limit, except, record.EventPageBytes, maxEventBytes)
	if err == nil {
		found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (e record.Event, err error) {
			var size int
			e.Sink = sink
			err = row.Scan(timeInto{&e.At}, &e.Subject, &e.Seq, &e.Type, &e.Definition, (*[]byte)(&e.Data), &e.Place, &size)
			if size > maxEventBytes {
				e.Unreadable = fmt.Errorf("data of %d bytes or more, the limit is %d", size, maxEventBytes)
			}
			return e, err
		})
	}
	lacking := sync.OnceValue(func() error { return s.lackedKeys(ctx, s.pool) })
	for i := 0; i < len(found) && err == nil; i++ {
		err = s.openEvent(&found[i], lacking)
	}
	if err != nil {
		return nil, fmt.Errorf("read the events for %s: %w", sink, err)
	}
	return found, nil
}

// openEvent decrypts the data of an event, or replaces it.
func (s *Store) openEvent(e *record.Event, lacking func() error) (err error) {
	if e.Unreadable == nil {
		plain, sealed := s.keys.OpenJSON(e.Subject, eventPlace(e.Seq), e.Data)
		if e.Data, e.Unreadable = plain, sealed; sealed != nil {
			err = lacking()
		} else {
			e.Unreadable = checkNesting(plain)
		}
	}
	if e.Unreadable != nil {
		e.Data = []byte(unreadableEvent)
	}
	return err
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
