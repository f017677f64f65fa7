// Package hostile sends malformed and abusive requests to an HTTP server: slow or endless heads and bodies, connections that
// close during the answer, streams without a reader, and malformed HTTP. A seed makes a run repeatable.
//
// It reports answers that indicate an internal error (a 5xx other than 503). Its users check everything else.
package hostile
