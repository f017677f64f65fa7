// Package store keeps sagas in Postgres. It implements what the engine, the relay and the API ask of a store; each of
// them declares the few methods that it needs, and storetest says what all of them must do.
//
// It guarantees:
//
//   - Everything that a batch changes is written by one transaction, however many sagas it holds: in one round trip where
//     this process has the sagas in its cache, in two where it has to read them first.
//   - An error from a write means that its outcome is unknown, whatever the error's type: a connection may break
//     after the commit was taken and before it was confirmed. Only what the server itself rolled back (a serialization
//     failure, a deadlock) is done again here.
//   - Rows of sagas are locked in the order of their ids, and written only where they are the very versions that were read
//     or cached: at their revision, with the random token of their last write, and in its transaction. A revision that a
//     failover lost and another replica wrote anew, or an edit by hand, is never written over. The cache is dropped when a
//     connection is lost.
//   - All times are those of the database's clock, read by the transaction or estimated from an answer of the last second.
//   - A row that cannot be read concerns its saga alone. Reads return what is known of it, with record.ErrUnreadable.
//   - Reads are bounded: lists end at a size and after a number of rows, batches and claims at a size. Lists and counts
//     have connections of their own, so that they keep neither the engine nor lookups waiting.
//   - Only sessions that can write are used. One that answers that it cannot is closed, with all others.
//   - Text that cannot be in the database (NUL bytes, invalid UTF-8) is not found by a read, which is not an error.
//
// The session settings that it relies on are startup parameters, so a pooler between it and Postgres must pool
// sessions, not transactions.
//
// It may import saga, internal/record, steps/wire and migrations.
package store
