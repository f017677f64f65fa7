// Package api serves the REST API. Its files are named by resource; those named http_ serve every resource.
//
// The OpenAPI document at /openapi.json is generated from the declarations that serve the requests, and /docs renders it.
// One table (http_problems.go) maps every error to a problem document with a stable code, which repeats nothing of the
// request. A route without a role cannot be registered. Every request has a time limit. The interfaces that the API
// requires are in ports.go.
package api
