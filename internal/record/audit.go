package record

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Caller is what the audit log says of the call that a change came by.
type Caller struct {
	Actor     string
	KeyID     string // empty: without authentication, or a bulk action
	RequestID string // of a target of a bulk action: the id of the bulk action
	Reason    string // of changes that have no reason of their own
}

type callerKey struct{}

// WithCaller returns a context whose changes are audited. A change without a caller is the system's own.
func WithCaller(ctx context.Context, caller Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// WithReason returns a context in which the caller gives a reason.
func WithReason(ctx context.Context, reason string) context.Context {
	caller, known := CallerOf(ctx)
	if !known {
		return ctx
	}
	caller.Reason = reason
	return WithCaller(ctx, caller)
}

// CallerOf returns the caller of the context.
func CallerOf(ctx context.Context) (caller Caller, known bool) {
	caller, known = ctx.Value(callerKey{}).(Caller)
	return caller, known
}

// AuditEntry is one change that came by the API. Stores write it in the transaction of the change. Seq and Hash follow
// when it is sealed.
type AuditEntry struct {
	Seq        int64
	Hash       []byte
	At         time.Time // zero: the store's time
	Actor      string
	KeyID      string
	Action     string
	Target     string // as in the path of the API, such as sagas/01J… or definitions/order
	Definition string // that the change concerns; empty: none, or all
	Reason     string
	RequestID  string
	Before     json.RawMessage // nil: none
	After      json.RawMessage // nil: none
}

// Audited returns the entry of a change by a caller. before and after are encoded as JSON; nil: none.
func Audited(caller Caller, action, target string, before, after any) (AuditEntry, error) {
	entry := AuditEntry{
		Actor: caller.Actor, KeyID: caller.KeyID, RequestID: caller.RequestID, Reason: caller.Reason, Action: action, Target: target,
	}
	for _, side := range []struct {
		value any
		to    *json.RawMessage
	}{{before, &entry.Before}, {after, &entry.After}} {
		if side.value == nil {
			continue
		}
		text, err := saga.EncodeJSON(side.value)
		if err != nil {
			return AuditEntry{}, fmt.Errorf("encode the audit entry of %s: %w", target, err)
		}
		*side.to = text
	}
	return entry, nil
}

// AuditedVersion is what the audit log says of a version of a definition; nil for version 0.
func AuditedVersion(version int) any {
	if version == 0 {
		return nil
	}
	return map[string]int{"version": version}
}

// sealed is what the hash of an entry covers, in this order.
type sealed struct {
	Seq       int64           `json:"seq"`
	At        string          `json:"at"`
	Actor     string          `json:"actor"`
	KeyID     string          `json:"key_id"`
	Action    string          `json:"action"`
	Target    string          `json:"target"`
	Reason    string          `json:"reason"`
	Before    json.RawMessage `json:"before"`
	After     json.RawMessage `json:"after"`
	RequestID string          `json:"request_id"`
}

// AuditTime is the format of the time in the hash of an entry.
const AuditTime = "2006-01-02T15:04:05.000000Z"

// Seal returns the hash of an entry that has its Seq: the SHA-256 of the hash before it, followed by the entry's JSON.
func (e *AuditEntry) Seal(previous []byte) ([]byte, error) {
	text, err := saga.EncodeJSON(sealed{
		Seq: e.Seq, At: e.At.UTC().Format(AuditTime), Actor: e.Actor, KeyID: e.KeyID, Action: e.Action, Target: e.Target, Reason: e.Reason,
		Before: e.Before, After: e.After, RequestID: e.RequestID,
	})
	if err != nil {
		return nil, fmt.Errorf("encode audit entry %d: %w", e.Seq, err)
	}
	hash := sha256.New()
	hash.Write(previous)
	hash.Write(text)
	return hash.Sum(nil), nil
}

// AuditChain is the extent of the chain of sealed entries.
type AuditChain struct {
	Seq       int64 // of the last sealed entry; 0: none
	Hash      []byte
	FirstSeq  int64 // of the entry before the first one that is kept; 0: none was deleted
	FirstHash []byte
	Unsealed  int64
}

// AuditHashSize is the size of a hash. The chain begins with that many zero bytes.
const AuditHashSize = sha256.Size

// AuditFilter selects audit entries that match all non-nil fields.
type AuditFilter struct {
	Actor  *string
	Target *string // with the kind of target, or without
	Since  *time.Time
	Until  *time.Time
	Scope  Scope
}

// AuditTargets returns the targets that a filter's text stands for.
func AuditTargets(text string) []string {
	targets := []string{text}
	for _, kind := range []string{"sagas", "definitions", "dead-letters", "actions", "queues", "keys", "webhooks"} {
		targets = append(targets, kind+"/"+text)
	}
	return targets
}

// Chained seals entries in their order, after the end of the chain, and moves the end.
func (c *AuditChain) Chained(entries []AuditEntry) error {
	for i := range entries {
		entries[i].Seq = c.Seq + 1
		hash, err := entries[i].Seal(c.Hash)
		if err != nil {
			return err
		}
		entries[i].Hash, c.Hash, c.Seq = hash, hash, entries[i].Seq
	}
	return nil
}
