package ui

import "fmt"

// tone returns the colour of a status. A status always has its name and a symbol as well, so colour alone says nothing.
func tone(status any) string {
	switch fmt.Sprint(status) {
	case "completed", "succeeded", "done", "healthy", "redriven":
		return "good"
	case "running", "waiting_for_worker", "waiting_for_branch":
		return "busy"
	case "compensating", "retrying", "waiting", "held_back", "retry_at", "not_published":
		return "warn"
	case "stuck", "failed", "compensation_failed", "compensation_exhausted", "retries_exhausted", "pivot_unknown", "step_failed",
		"late_effect", "deadline_exceeded", "unhealthy", "stopped", "invalid_output", "no_consumer", "unroutable", "refused_by_broker":
		return "bad"
	case "unknown", "overdue", "refused":
		return "odd"
	case "compensated":
		return "back"
	default:
		return "calm"
	}
}

// symbol returns the symbol of a status, an id of the sprite in the layout.
func symbol(status any) string {
	switch fmt.Sprint(status) {
	case "completed", "succeeded", "done", "healthy":
		return "check"
	case "running":
		return "play"
	case "compensating", "compensated":
		return "back"
	case "retrying":
		return "retry"
	case "waiting", "scheduled", "pending":
		return "clock"
	case "paused":
		return "pause"
	case "skipped":
		return "skip"
	case "abandoned", "cancelled":
		return "stop"
	case "unknown":
		return "question"
	default:
		return "alert"
	}
}
