// Package deploy checks the files under deploy that run the orchestrator.
package deploy
