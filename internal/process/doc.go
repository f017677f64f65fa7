// Package process runs programs such as an orchestrator and its workers as child processes. The first line on standard
// output means that the program is ready. The package keeps the end of the output, and reports it if the program exits
// unexpectedly.
//
// The caller must stop each process. On Linux a process also dies with its parent.
package process
