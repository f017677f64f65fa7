package resource

// NewKey is the body of `POST /v1/keys`.
type NewKey struct {
	Name string `json:"name" maxLength:"64" doc:"Name of the holder, which histories show as the actor"`
	Role string `json:"role" enum:"viewer,operator,admin"`
	// ExpiresIn is a duration such as 12h or 90d. Empty: the key does not expire.
	ExpiresIn   string   `json:"expires_in,omitempty" minLength:"1" doc:"Duration after which the key is invalid, such as 12h or 90d; absent: it does not expire"`
	Definitions []string `json:"definitions,omitempty" doc:"The only definitions that the key covers, at most 100; absent: every definition"`
}

// RotateKey is the body of `POST /v1/keys/{id}/rotate`. The body may be absent.
type RotateKey struct {
	Grace string `json:"grace,omitempty" minLength:"1" doc:"Duration for which the secret before stays valid, such as 1h, at most 30d; absent: 0"`
}

// Key is an API key. Only the answers that created or rotated it have the secret.
type Key struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Role      string `json:"role" enum:"viewer,operator,admin"`
	CreatedAt Time   `json:"created_at" format:"date-time"`
	RevokedAt *Time  `json:"revoked_at" format:"date-time"`
	ExpiresAt *Time  `json:"expires_at" format:"date-time" doc:"null: it does not expire"`
	// Definitions is nil for a key that covers every definition.
	Definitions []string `json:"definitions,omitempty" doc:"The only definitions that the key covers; absent: every definition"`
	// UnknownDefinitions are those of Definitions that were not registered when the key was created. A key may come before them.
	UnknownDefinitions []string `json:"unknown_definitions,omitempty" doc:"Only in the answer that created the key: its definitions that are not registered, which may be misspelt or may follow"`

	LastUsedAt *Time  `json:"last_used_at" format:"date-time" doc:"To the minute; null: it was never used"`
	OldUntil   *Time  `json:"previous_secret_until,omitempty" format:"date-time" doc:"When the secret before the last rotation becomes invalid"`
	Secret     string `json:"key,omitempty" doc:"The secret, only in the answer that created or rotated the key"`
}

// Health is the answer of /healthz and /readyz.
type Health struct {
	Status  string            `json:"status" enum:"ok,unavailable"`
	Version string            `json:"version,omitempty"`
	Checks  map[string]string `json:"checks,omitempty" doc:"Result of each check: ok, or the fault"`
}

// HealthDetails is the answer of /readyz?verbose. It is public, so it contains neither hosts nor users, and no error texts but the
// name of what the broker refuses.
type HealthDetails struct {
	Health
	CheckedAt             *Time             `json:"checked_at" format:"date-time" doc:"Time of the checks; null: not yet made"`
	SurveyedAt            *Time             `json:"surveyed_at" format:"date-time" doc:"Time of the counts; null: not yet made"`
	Connections           map[string]string `json:"connections,omitempty" doc:"State of each connection to the broker: ok, unreachable, or what the broker objects to"`
	DeadLettering         string            `json:"dead_lettering,omitempty" enum:"ok,stopped,unknown" doc:"Whether the broker dead-letters messages of quorum queues. stopped does not fail readiness: rejected commands time out instead"`
	Mismatched            []string          `json:"mismatched,omitempty" doc:"Exchanges and queues that exist with other properties than the orchestrator declares, such as a queue that is not durable. They are used as they are, at most 50"`
	QueueProblems         []QueueProblem    `json:"queue_problems" nullable:"false" doc:"Worker queues that accept no commands at present, at most 50"`
	MoreQueueProblems     int               `json:"more_queue_problems" doc:"Number of further queues with a problem"`
	UnhealthyQueues       []UnhealthyQueue  `json:"unhealthy_queues" nullable:"false" doc:"Worker queues that are unhealthy, at most 50. They do not fail readiness"`
	MoreUnhealthyQueues   int               `json:"more_unhealthy_queues" doc:"Number of further unhealthy queues"`
	OutboxPending         int64             `json:"outbox_pending" doc:"Commands that the broker has not confirmed"`
	OutboxOldest          *Time             `json:"outbox_oldest" format:"date-time"`
	HeldBack              int64             `json:"held_back" doc:"Commands that settings of their queues, or the pause of their sagas, hold back; not part of outbox_pending"`
	DeadLetters           map[string]int64  `json:"dead_letters" doc:"By source"`
	UnreadableSagas       int               `json:"unreadable_sagas" doc:"Unfinished sagas that cannot be read, as found by the last complete scan"`
	UnreadableDefinitions int               `json:"unreadable_definitions" doc:"Definitions whose latest version cannot be read"`
	UnreadableAudit       int64             `json:"unreadable_audit_entries" doc:"Entries of the audit log that stand for one that could not be read"`
	EventsOldest          map[string]Time   `json:"events_oldest" doc:"Oldest lifecycle event that each sink has not taken, by sink"`
	AuditOldest           *Time             `json:"audit_oldest" format:"date-time" doc:"Oldest entry of the audit log that is not sealed; null: none"`
	PayloadKeys           *PayloadKeys      `json:"payload_keys,omitempty" doc:"Keys that encrypt payloads; absent: none do"`
}

// PayloadKeys is how far stored payloads are encrypted with the current key. Keys are named by their ids.
type PayloadKeys struct {
	Current    Text     `json:"current" nullable:"true" doc:"The key of this process; none: it stores payloads in clear; null: it has no keys"`
	Others     []string `json:"others,omitempty" doc:"Other keys that stored payloads may have"`
	Missing    []string `json:"missing,omitempty" doc:"Those that this process lacks"`
	Remaining  int64    `json:"remaining" doc:"Blocks of tables that are still to be read; 0: all payloads have the current key"`
	Unreadable int64    `json:"unreadable" doc:"Rows of the last pass that could not be opened"`
}

// UnhealthyQueue is a worker queue that is unhealthy.
type UnhealthyQueue struct {
	Queue   string   `json:"queue"`
	Reasons []string `json:"reasons" nullable:"false"`
	Since   Time     `json:"since" format:"date-time"`
}

// QueueProblem is the reason why a worker queue accepts no commands at present.
type QueueProblem struct {
	Queue   string `json:"queue"`
	Kind    string `json:"kind" enum:"missing,refuses,not_confirming"`
	Since   Time   `json:"since" format:"date-time"`
	RetryAt Time   `json:"retry_at" format:"date-time" doc:"When the queue is retried"`
}
