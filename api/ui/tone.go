package ui

import "fmt"

// tone returns the colour of a status. A status always has its name and a symbol as well, so colour alone says nothing.
func tone(status any) string {
	switch fmt.Sprint(status) {
	case "completed", "succeeded", "done", "healthy", "redriven", "valid", "applies", "delivering", "delivered":
		return "good"
	case "running", "waiting_for_worker", "waiting_for_branch":
		return "busy"
	case "compensating", "retrying", "waiting", "held_back", "retry_at", "not_published", "disabled":
		return "warn"
	case "stuck", "failed", "compensation_failed", "compensation_exhausted", "retries_exhausted", "pivot_unknown", "step_failed",
		"late_effect", "deadline_exceeded", "unhealthy", "stopped", "invalid_output", "no_consumer", "unroutable", "refused_by_broker",
		"on", "failing":
		return "bad"
	case "unknown", "overdue", "refused":
		return "odd"
	case "compensated":
		return "back"
	default:
		return "calm"
	}
}

// symbol returns the symbol of a status, the id of an icon.
func symbol(status any) string {
	switch fmt.Sprint(status) {
	case "completed", "succeeded", "done", "healthy", "valid", "applies", "off", "delivering", "delivered":
		return "check"
	case "running":
		return "play"
	case "compensating", "compensated":
		return "back"
	case "retrying":
		return "retry"
	case "waiting", "scheduled", "pending", "idle":
		return "clock"
	case "paused":
		return "pause"
	case "skipped":
		return "skip"
	case "abandoned", "cancelled", "disabled", "expired", "revoked":
		return "stop"
	case "unknown":
		return "question"
	default:
		return "alert"
	}
}
