// Package pgproxy is a hostile Postgres: a proxy before a real server that reads the messages of the frontend/backend
// protocol (version 3) and answers in the server's place: with an error of any class to any statement, or as a server
// that takes no writes.
//
// An error that it answers with is the truth: the server never gets the statements, and a transaction that was open is
// rolled back. Connections without TLS only. It imports nothing of ours.
package pgproxy
