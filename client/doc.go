// Package client calls the REST API of an orchestrator. It gives sagas as resource.Saga, everything else in the shapes
// of api/resource, and errors of the API as *Problem.
//
// It tries again only what may be sent twice: reads, and starts with an idempotency key, when the connection fails or
// the orchestrator answers 503.
//
// It may import saga and api/resource.
package client
