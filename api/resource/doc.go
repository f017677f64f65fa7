// Package resource defines the JSON types of the REST API: bodies of requests, answers, and problem documents. Package api
// writes them and package client reads them. The doc tags are the descriptions in the OpenAPI document.
package resource
