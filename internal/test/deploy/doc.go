// Package deploy checks what is shipped: the files under deploy that run the orchestrator, and the licences of its modules.
package deploy
