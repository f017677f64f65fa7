package record

import "time"

// Role is what an API key permits. Each role includes the one before it.
type Role string

// The roles, weakest first.
const (
	Viewer   Role = "viewer"
	Operator Role = "operator"
	Admin    Role = "admin"
)

// Includes reports whether role r permits what the role wanted permits.
func (r Role) Includes(wanted Role) bool {
	rank := map[Role]int{Viewer: 1, Operator: 2, Admin: 3}
	return rank[r] > 0 && rank[r] >= rank[wanted]
}

// Key is an API key without its secret, of which only the hash is kept.
type Key struct {
	ID        string // a ULID
	Name      string
	Role      Role
	Hash      []byte // SHA-256 of the key
	CreatedAt time.Time
	RevokedAt time.Time // zero: valid
}
