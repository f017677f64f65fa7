// Package proxy stands between a client and a server and does, on demand, what networks do: it loses connections, stops
// the flow of bytes, leads to another server, or loses an answer that has been looked at.
package proxy
