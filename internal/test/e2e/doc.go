// Package e2e tests the whole system: the orchestrator and the example's services as separate processes, on real
// servers, killed while they work.
package e2e
