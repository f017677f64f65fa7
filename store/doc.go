// Package store keeps sagas in Postgres. It implements the store interfaces of the engine, the relay and the API.
// storetest checks them.
//
// It guarantees:
//
//   - A batch is written in one transaction, however many sagas it holds: in one round trip if this process has them in its
//     cache, else in two.
//   - An error from a write means that its outcome is unknown, whatever the error's type: a connection may break after the
//     commit and before its confirmation. The store itself retries only what the server has rolled back, such as a
//     serialization failure or a deadlock.
//   - Rows of sagas are locked in the order of their ids. A row is written only if it is still the version that was read or
//     cached: the same revision, the same random token of its last write, and the same transaction. So a write never
//     overwrites an edit by hand, or a revision that a failover lost and another replica wrote anew. A lost connection clears
//     the cache.
//   - All times are those of the database's clock, read by the transaction or estimated from a reading of the last second.
//   - An unreadable row affects only its saga. Reads return its readable part with record.ErrUnreadable.
//   - Reads are bounded: lists by size and number of rows, batches and claims by size. Lists and counts have connections of
//     their own, so that they delay neither the engine nor lookups.
//   - Only sessions that can write are used. If one turns read-only, all sessions are closed.
//   - A read for text that Postgres cannot hold (NUL bytes, invalid UTF-8) finds nothing, without an error.
//
// The store sets its session settings as startup parameters. With default_query_exec_mode=cache_describe in the URL it sends none
// and prepares nothing, so that Postgres may stand behind a pooler of transactions: the role then has the settings. Open checks
// in both cases that a session has them.
package store
