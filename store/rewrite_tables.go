package store

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/seal"
)

// payloadTable is a table with payloads, as r in SQL.
type payloadTable struct {
	name    string
	columns string // that read scans, after the row's place
	stale   string // condition: something in the row is not sealed as the current key would
	set     string // assignments of $2, $3, … to the columns
	read    func(row pgx.CollectableRow) (staleRow, error)
}

// staleRow is a row to be sealed anew. recode returns the new values; nil: they are as they should be.
type staleRow struct {
	place  string
	recode func() ([]any, error)
}

// payloadTables returns the tables in the order of a pass.
func (s *Store) payloadTables() []payloadTable {
	return []payloadTable{
		s.sagaTable(), s.historyTable(),
		s.bytesTable("outbox", "r.saga_id, r.command, ''", func(key [3]string) (string, string) { return key[0], sealedCommand + key[1] }),
		s.bytesTable("dead_letters", "r.id, r.saga_id, r.command_id", func(key [3]string) (string, string) {
			scope, field, _ := letterPlace(key[0], key[1], key[2], nil)
			return scope, field
		}),
		s.bytesTable("webhook_deliveries", "r.event_id, '', ''", func(key [3]string) (string, string) { return key[0], sealedDelivery }),
		s.jsonTable("events", "data", "r.subject, r.seq::text", func(key [2]string) (string, string) {
			seq, _ := strconv.ParseInt(key[1], 10, 64)
			return key[0], eventPlace(seq)
		}),
		s.jsonTable("bulk_actions", "parameters", "r.id, ''", func(key [2]string) (string, string) { return key[0], sealedParameters }),
		s.jsonTable("audit", "before", "r.target, ''", func(key [2]string) (string, string) { return key[0], sealedBefore }),
		s.jsonTable("audit", "after", "r.target, ''", func(key [2]string) (string, string) { return key[0], sealedAfter }),
	}
}

// bytesTable is a table with one column body of bytes.
func (s *Store) bytesTable(name, key string, at func(key [3]string) (scope, field string)) payloadTable {
	stale := `substring(r.body for ` + strconv.Itoa(len(seal.AnyBytesMark())) + `) = ` + byteaLiteral(seal.AnyBytesMark())
	if mark := s.keys.BytesMark(); mark != nil {
		stale = `substring(r.body for ` + strconv.Itoa(len(mark)) + `) <> ` + byteaLiteral(mark)
	}
	return payloadTable{
		name: name, columns: key + ", r.body", stale: stale, set: "body = $2",
		read: func(row pgx.CollectableRow) (stale staleRow, err error) {
			var key [3]string
			var body []byte
			err = row.Scan(&stale.place, &key[0], &key[1], &key[2], &body)
			stale.recode = func() ([]any, error) {
				scope, field := at(key)
				plain, err := s.keys.OpenBytes(scope, field, body)
				if err != nil {
					return nil, err
				}
				return changedBytes(body, s.keys.Bytes(scope, field, plain)), nil
			}
			return stale, err
		},
	}
}

func changedBytes(before, after []byte) []any {
	if bytes.Equal(before, after) {
		return nil
	}
	return []any{after}
}

// jsonTable is a table with a column of JSON documents.
func (s *Store) jsonTable(name, column, key string, at func(key [2]string) (scope, field string)) payloadTable {
	return payloadTable{
		name: name, columns: key + ", r." + column, stale: s.staleJSON("r." + column), set: column + " = $2::text::json",
		read: func(row pgx.CollectableRow) (stale staleRow, err error) {
			var key [2]string
			var document []byte
			err = row.Scan(&stale.place, &key[0], &key[1], &document)
			stale.recode = func() ([]any, error) {
				scope, field := at(key)
				plain, err := s.keys.OpenJSON(scope, field, document)
				if err != nil {
					return nil, err
				}
				after := s.keys.JSON(scope, field, plain)
				if bytes.Equal(document, after) {
					return nil, nil
				}
				return []any{string(after)}, nil
			}
			return stale, err
		},
	}
}

// staleJSON is the condition that a document is not as the current key would store it. Null never is stale.
func (s *Store) staleJSON(column string) string {
	if !s.keys.On() {
		return `starts_with(` + column + `::text, '"` + seal.TextMark("") + `')`
	}
	return `not starts_with(` + column + `::text, '"` + seal.TextMark(s.keys.Current()) + `')`
}

// staleInside is the condition that a sealed text within a document is not of the current key.
func (s *Store) staleInside(column string) string {
	if !s.keys.On() {
		return column + `::text like '%"` + seal.TextMark("") + `%'`
	}
	return column + `::text ~ '"` + seal.TextMark("") + `(?!` + s.keys.Current() + `:)'`
}

func byteaLiteral(content []byte) string { return fmt.Sprintf(`'\x%x'::bytea`, content) }
