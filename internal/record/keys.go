package record

import (
	"crypto/subtle"
	"slices"
	"time"
)

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
	ExpiresAt time.Time // zero: never
	Scope     Scope     // the definitions that it covers
	// LastUsedAt is the time of a request with the key, at most KeyUseInterval before the last one. Zero: never used.
	LastUsedAt time.Time
	OldHash    []byte    // of the secret before the last rotation; nil: none
	OldUntil   time.Time // when that secret becomes invalid
}

// Audited is what the audit log says of a new key.
func (k *Key) Audited() map[string]any {
	shown := map[string]any{"name": k.Name, "role": k.Role}
	if k.Scope != nil {
		shown["definitions"] = k.Scope
	}
	if !k.ExpiresAt.IsZero() {
		shown["expires_at"] = k.ExpiresAt.UTC().Format(AuditTime)
	}
	return shown
}

// AuditedRevocation is what the audit log says of a key that was revoked.
func (k *Key) AuditedRevocation() map[string]any {
	return map[string]any{"revoked_at": k.RevokedAt.UTC().Format(AuditTime)}
}

// AuditedRotation is what the audit log says of a rotated key.
func (k *Key) AuditedRotation() map[string]any {
	return map[string]any{"previous_secret_until": k.OldUntil.UTC().Format(AuditTime)}
}

// KeyUseInterval is the interval in which the use of a key is recorded once.
const KeyUseInterval = time.Minute

// MaxKeyDefinitions is the largest number of definitions that a key can be limited to.
const MaxKeyDefinitions = 100

// Accepts reports whether the key is valid at the time, with a secret that has the hash.
func (k *Key) Accepts(hash []byte, now time.Time) bool {
	current := subtle.ConstantTimeCompare(k.Hash, hash) == 1
	old := subtle.ConstantTimeCompare(k.OldHash, hash) == 1 && now.Before(k.OldUntil)
	return (current || old) && k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}

// Scope is the definitions that a caller may see. nil: every definition. To the caller, those outside do not exist.
type Scope []string

// Covers reports whether the definition is in the scope.
func (s Scope) Covers(definition string) bool { return s == nil || slices.Contains(s, definition) }

// Includes reports whether the scope covers everything that the other covers.
func (s Scope) Includes(other Scope) bool {
	if s == nil {
		return true
	}
	return other != nil && !slices.ContainsFunc(other, func(name string) bool { return !slices.Contains(s, name) })
}
