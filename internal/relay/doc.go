// Package relay publishes the outbox. The process that committed a command hands it over from memory. The table is for
// commands that their process could not publish: the relay claims rows whose lease has expired.
//
//   - A command counts as published only after the broker has acknowledged and not returned it.
//   - A command that cannot be published blocks no other.
//   - No row is given up, and the table is read by claims, never by a cursor.
//   - A failed publish says nothing: the row's lease expires, and the command is published again, under the same id with
//     the same bytes.
package relay
