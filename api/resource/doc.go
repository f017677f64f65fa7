// Package resource holds the JSON shapes of the REST API that are not the saga itself: what requests carry, what
// answers hold, and the problem details of errors. The api package writes them and the client package reads them, so
// that the two cannot drift apart. The `doc` tags are what the OpenAPI document says about a member.
//
// It holds types only, and may import saga.
package resource
