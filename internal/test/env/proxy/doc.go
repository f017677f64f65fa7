// Package proxy is a TCP proxy that fails on demand as networks do: it cuts connections, stalls bytes, leads to another
// server, or loses an answer that it has inspected. Sessions is the base of the proxies that read a protocol.
package proxy
