package resource

// NewKey is the body of `POST /v1/keys`.
type NewKey struct {
	Name string `json:"name" maxLength:"64" doc:"Whom the key is for: the actor in histories"`
	Role string `json:"role" enum:"viewer,operator,admin"`
}

// Key is an API key. Its secret is in the answer that created it, and nowhere else.
type Key struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Role      string `json:"role" enum:"viewer,operator,admin"`
	CreatedAt Time   `json:"created_at" format:"date-time"`
	RevokedAt *Time  `json:"revoked_at" format:"date-time"`
	Secret    string `json:"key,omitempty" doc:"The key itself: shown once, when it is created"`
}

// Health is the answer of /healthz and /readyz.
type Health struct {
	Status  string            `json:"status" enum:"ok,unavailable"`
	Version string            `json:"version,omitempty"`
	Checks  map[string]string `json:"checks,omitempty" doc:"What was looked at: ok, or what is wrong with it"`
}

// HealthDetails is the answer of /readyz?verbose. Everyone may read it, so it names neither hosts nor users, and repeats
// nothing that servers or workers said.
type HealthDetails struct {
	Health
	CheckedAt             *Time             `json:"checked_at" format:"date-time" doc:"When the checks were made; null: not yet"`
	SurveyedAt            *Time             `json:"surveyed_at" format:"date-time" doc:"When the rest was counted; null: not yet"`
	Connections           map[string]string `json:"connections,omitempty" doc:"Each connection to the broker: ok, or unreachable; those that consume are the consumers"`
	QueueProblems         []QueueProblem    `json:"queue_problems" nullable:"false" doc:"Worker queues that take no commands at present, at most 50"`
	MoreQueueProblems     int               `json:"more_queue_problems" doc:"How many more there are"`
	OutboxPending         int64             `json:"outbox_pending" doc:"Commands that are not confirmed to be in their queues"`
	OutboxOldest          *Time             `json:"outbox_oldest" format:"date-time"`
	DeadLetters           map[string]int64  `json:"dead_letters" doc:"By source"`
	UnreadableSagas       int               `json:"unreadable_sagas" doc:"Unfinished sagas that cannot be read, as far as the last pass over all of them found"`
	UnreadableDefinitions int               `json:"unreadable_definitions" doc:"Definitions whose latest version cannot be read"`
}

// QueueProblem is why a worker queue takes no commands at present.
type QueueProblem struct {
	Queue   string `json:"queue"`
	Kind    string `json:"kind" enum:"missing,refuses,not_confirming"`
	Since   Time   `json:"since" format:"date-time"`
	RetryAt Time   `json:"retry_at" format:"date-time" doc:"When the queue is tried again"`
}
