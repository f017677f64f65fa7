// Package migrations holds the numbered SQL that makes the database's schema, embedded into the program. It knows
// nothing of Go types and imports nothing of ours; package store runs it.
//
// A migration that has been released is never changed: what is wrong with it is put right by the next one.
package migrations

import "embed"

// FS holds the migrations, as goose reads them.
//
//go:embed *.sql
var FS embed.FS
