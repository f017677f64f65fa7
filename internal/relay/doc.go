// Package relay publishes what the outbox holds. The process that committed a command hands it over from memory; the
// table is for the case that it could not publish it, and is asked for rows whose lease ran out.
//
// It guarantees that a command counts as published only when the broker has acknowledged it and not sent it back, and
// that one which cannot be published keeps no other one back. It never gives up on a row and never keeps a cursor.
// Nothing is inferred from a publish that failed: the row's lease runs out and it is published again, under the same
// id with the same bytes.
//
// It declares the interfaces that it needs and may import saga (identifiers), internal/record and steps/wire.
package relay
