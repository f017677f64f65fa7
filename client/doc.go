// Package client calls the REST API of a saga orchestrator.
//
// Every method returns the types of package api/resource. An error that the API answered is a *Problem with a stable
// code; use errors.AsType to inspect it.
//
// A call is repeated only if that is safe: reads, starts with an idempotency key, and starts of bulk actions, which always
// have one, are sent again when the connection fails or the orchestrator answers 503. Other calls are sent again only if the orchestrator reports that it was too busy
// to begin.
package client
