// Package anyclient is a worker of the orchestrator as teams write it without the SDK: each reply is a publish with a confirm of
// its own, and each command an acknowledgement of its own. It uses nothing of the orchestrator but its protocol.
package anyclient
