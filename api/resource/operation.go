package resource

import "github.com/saga-orchestrator/orchestrator/saga"

// NewKey is the body of `POST /v1/keys`.
type NewKey struct {
	Name string `json:"name" maxLength:"64" doc:"Whom the key is for: the actor in histories"`
	Role string `json:"role" enum:"viewer,operator,admin"`
}

// Key is an API key. Its secret is in the answer that created it, and nowhere else.
type Key struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Role      string     `json:"role" enum:"viewer,operator,admin"`
	CreatedAt saga.Time  `json:"created_at" format:"date-time"`
	RevokedAt *saga.Time `json:"revoked_at" format:"date-time"`
	Secret    string     `json:"key,omitempty" doc:"The key itself: shown once, when it is created"`
}

// Health is the answer of /healthz and /readyz.
type Health struct {
	Status  string            `json:"status" enum:"ok,unavailable"`
	Version string            `json:"version,omitempty"`
	Checks  map[string]string `json:"checks,omitempty" doc:"What was looked at: ok, or what is wrong with it"`
}
