// Package e2e holds tests of the whole: the orchestrator and the example's services as processes of their own, on real
// servers, killed in the middle of their work. It has no code but tests.
package e2e
