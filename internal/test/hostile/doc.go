// Package hostile is what the outside may send to an HTTP server: heads and bodies that come slowly or never end,
// callers that vanish while they are answered, streams that are not read, and bytes that are hardly HTTP. A run is
// seeded, so that it can be had again.
//
// It judges one thing by itself: that no answer says that something is wrong inside (a 5xx other than 503). What else
// must hold meanwhile and afterwards, its users look at.
package hostile
