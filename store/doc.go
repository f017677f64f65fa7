// Package store keeps sagas in Postgres. It implements what the engine, the relay and the API ask of a store; each of
// them declares the few methods that it needs, and storetest says what all of them must do.
//
// It guarantees:
//
//   - Everything that a batch changes is written by one transaction, however many sagas it holds: in one round trip where
//     this process remembers the sagas, in two where it has to read them first.
//   - An error from a write means that its outcome is unknown, whatever the error's type: a connection may break
//     after the commit was taken and before it was confirmed. Only what the server itself rolled back (a serialization
//     failure, a deadlock) is done again here.
//   - Rows of sagas are locked in the order of their ids, and written only at the revision at which they were read or
//     remembered. What a process remembers is never decided on unless the transaction finds it still so.
//   - All times are those of the database's clock, read by the transaction or told from what it said seconds ago; then they
//     are never ahead of it.
//   - Text that cannot be in the database (NUL bytes, invalid UTF-8) is not found by a read, and is no failure of it.
//
// The session settings that it relies on are startup parameters, so a pooler between it and Postgres must pool
// sessions, not transactions.
//
// It may import saga, saga/record, steps/wire and migrations.
package store
