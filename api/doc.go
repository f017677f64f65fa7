// Package api is the REST API: routes, requests and answers, authentication, and errors in one table (problems.go). The
// OpenAPI document at /openapi.json is generated from the same declarations that serve the requests, and /docs shows it
// to people without any other server.
//
// It guarantees that a body is read only when it is one JSON document that every store and worker reads alike, that
// every error is a problem document with a stable code which repeats nothing of what was sent, that a route without a
// role cannot be registered, and that no request holds the database for longer than its time.
//
// It declares the interfaces that it needs (ports.go) and may import saga, internal/record, api/resource, and of steps/wire
// the type QueueState.
package api
