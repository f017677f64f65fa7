// Package pgproxy is a hostile Postgres: a proxy in front of a real server. It reads the messages of the frontend/backend
// protocol (version 3) and can answer any statement with any error, or refuse all writes.
//
// The answered error is the truth: the server never gets the statements, and an open transaction is rolled back. Only
// connections without TLS work.
package pgproxy
