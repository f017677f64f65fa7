// Package process runs programs of ours for the time of a run: an orchestrator, its workers. Whatever a program says first
// on standard output means that it has begun; what it says last is kept, for the day on which it ends by itself.
//
// It guarantees that no process stays behind: whoever starts one stops it, and it also dies with its parent where the
// system can do that.
//
// It may import nothing of ours.
package process
