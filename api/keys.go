package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

const (
	secretPrefix = "sk_"
	secretBytes  = 32
	maxKeyName   = 64
)

// NewKey returns a new API key and its secret, or the faults of the request. The key holds only the hash of the secret.
func NewKey(given resource.NewKey, now time.Time) (key record.Key, secret string, faults []resource.FieldError) {
	if faults = keyFaults(given); len(faults) > 0 {
		return record.Key{}, "", faults
	}
	now = now.UTC().Truncate(time.Microsecond)
	secret, hash := newSecret()
	key = record.Key{
		ID: ulid.Make().String(), Name: given.Name, Role: record.Role(given.Role), Hash: hash, CreatedAt: now,
		Scope: slices.Compact(slices.Sorted(slices.Values(given.Definitions))),
	}
	if age, _ := saga.ParseAge(given.ExpiresIn); age > 0 {
		key.ExpiresAt = now.Add(time.Duration(age))
	}
	return key, secret, nil
}

// newSecret returns a random secret and its hash.
func newSecret() (secret string, hash []byte) {
	random := make([]byte, secretBytes)
	_, _ = rand.Read(random) // it never returns an error
	secret = secretPrefix + base64.RawURLEncoding.EncodeToString(random)
	sum := sha256.Sum256([]byte(secret))
	return secret, sum[:]
}

// plausibleSecret reports whether the text has the form of a secret. It spares the database a query.
func plausibleSecret(secret string) bool {
	return strings.HasPrefix(secret, secretPrefix) &&
		len(secret) == len(secretPrefix)+base64.RawURLEncoding.EncodedLen(secretBytes)
}

type (
	keyInput struct {
		ID string `path:"id" doc:"Id of the key"`
	}
	keyOutput struct {
		Body resource.Key
	}
)

func (s *service) keyRoutes() {
	const tag = "Keys"
	register(s, route{
		id: "create-key", method: http.MethodPost, path: "/v1/keys", tag: tag, role: record.Admin, unlimited: true,
		summary: "Create an API key", status: http.StatusCreated, body: bodyOf[resource.NewKey](),
		about: "`key` in the answer is the secret. It cannot be read again: the orchestrator stores only its hash. To a key with " +
			"`definitions`, everything of other definitions does not exist. A key may be created before its definitions are registered: " +
			"`unknown_definitions` names those that are not.",
	}, s.createKey)
	register(s, route{
		id: "get-own-key", method: http.MethodGet, path: "/v1/keys/me", tag: tag, role: record.Viewer,
		summary: "Get the key of this request", about: "Its name and role. Without authentication: the name anonymous, the role admin, no id.",
	}, s.ownKey)
	register(s, route{
		id: "list-keys", method: http.MethodGet, path: "/v1/keys", tag: tag, role: record.Admin, unlimited: true, summary: "List API keys",
	}, s.listKeys)
	register(s, route{
		id: "revoke-key", method: http.MethodDelete, path: "/v1/keys/{id}", tag: tag, role: record.Admin, unlimited: true,
		summary: "Revoke an API key", about: "Every replica refuses the key within five seconds.",
		errors: []int{http.StatusNotFound},
	}, s.revokeKey)
	register(s, route{
		id: "rotate-key", method: http.MethodPost, path: "/v1/keys/{id}/rotate", tag: tag, role: record.Admin, unlimited: true,
		summary: "Replace the secret of an API key", body: &bodyRule{shape: bodyOf[resource.RotateKey]().shape, optional: true},
		about: "`key` in the answer is the new secret. The one before stays valid for `grace` (default 0), an older one does not. " +
			"A revoked or expired key cannot be rotated (`not_applicable`).",
		errors: []int{http.StatusNotFound, http.StatusConflict},
	}, s.rotateKey)
}

func keyFaults(given resource.NewKey) []resource.FieldError {
	var faults []resource.FieldError
	if strings.TrimSpace(given.Name) == "" || !printable(given.Name, maxKeyName) {
		faults = append(faults, field("name", "must be 1 to "+decimal(maxKeyName)+" printable characters"))
	}
	if !record.Role(given.Role).Includes(record.Viewer) {
		faults = append(faults, field("role", "must be viewer, operator or admin"))
	}
	if age, ok := saga.ParseAge(given.ExpiresIn); given.ExpiresIn != "" && (!ok || age == saga.Forever) {
		faults = append(faults, field("expires_in", "must be a duration from 1s to "+decimal(saga.MaxRetentionDays)+"d such as 12h or 90d"))
	}
	switch {
	case given.Definitions == nil:
	case len(given.Definitions) == 0 || len(given.Definitions) > record.MaxKeyDefinitions:
		faults = append(faults, field("definitions", "must be 1 to "+decimal(record.MaxKeyDefinitions)+" names: omit it to cover every definition"))
	case slices.ContainsFunc(given.Definitions, func(name string) bool { return !identifier(name) }):
		faults = append(faults, field("definitions", "must be names of definitions"))
	}
	return faults
}

func (s *service) createKey(ctx context.Context, _ *struct{}) (*keyOutput, error) {
	given, err := decode(body(ctx), keyFaults)
	if err != nil {
		return nil, err
	}
	key, secret, _ := NewKey(given, s.Now()) // without faults, because decode found none
	if s.Keys == nil {
		return nil, problem(resource.CodeNotFound, "This orchestrator does not store keys.")
	}
	if err := s.Keys.CreateKey(ctx, key); err != nil {
		return nil, err
	}
	output := &keyOutput{Body: ShowKey(key)}
	output.Body.Secret = secret
	output.Body.UnknownDefinitions, err = UnknownDefinitions(ctx, s.Reads, key.Scope)
	if err != nil { // the key is there, and its secret must not be lost
		s.Logger.WarnContext(ctx, "the definitions of a new key could not be looked up", "error", err)
	}
	return output, nil
}

// UnknownDefinitions returns the names that are not those of registered definitions.
func UnknownDefinitions(ctx context.Context, reads interface {
	LatestDefinition(ctx context.Context, name string) (record.RegisteredDefinition, error)
}, names []string,
) (unknown []string, err error) {
	for _, name := range names {
		switch _, err := reads.LatestDefinition(ctx, name); {
		case errors.Is(err, record.ErrDefinitionNotFound):
			unknown = append(unknown, name)
		case err != nil:
			return unknown, err
		}
	}
	return unknown, nil
}

// MaxGrace bounds the time for which the secret before a rotation stays valid.
const MaxGrace = 30 * 24 * time.Hour

// ParseGrace parses the grace of a rotation. ok is false if it is not a duration from 0 to MaxGrace.
func ParseGrace(text string) (grace time.Duration, ok bool) {
	if text == "" {
		return 0, true
	}
	age, ok := saga.ParseAge(text)
	return max(0, time.Duration(age)), ok && time.Duration(age) <= MaxGrace
}

func (s *service) rotateKey(ctx context.Context, input *keyInput) (*keyOutput, error) {
	given, err := decode(body(ctx), func(given resource.RotateKey) (faults []resource.FieldError) {
		if _, ok := ParseGrace(given.Grace); !ok {
			faults = append(faults, field("grace", "must be 0, or a duration from 1s to 30d such as 1h"))
		}
		return faults
	})
	if err != nil {
		return nil, err
	}
	id, err := ulid.ParseStrict(input.ID)
	if err != nil || s.Keys == nil {
		return nil, record.ErrKeyNotFound
	}
	grace, _ := ParseGrace(given.Grace)
	key, secret, err := RotateKey(ctx, s.Keys, id.String(), grace)
	if err != nil {
		return nil, err
	}
	s.keyring.forget()
	output := &keyOutput{Body: ShowKey(key)}
	output.Body.Secret = secret
	return output, nil
}

// RotateKey replaces the secret of a key and returns the new one. The secret before it stays valid for the grace.
func RotateKey(ctx context.Context, keys Keys, id string, grace time.Duration) (key record.Key, secret string, err error) {
	secret, hash := newSecret()
	key, err = keys.RotateKey(ctx, id, hash, grace)
	return key, secret, err
}

func (s *service) ownKey(ctx context.Context, _ *struct{}) (*keyOutput, error) {
	key, known := ctx.Value(callerKey{}).(record.Key)
	if !known {
		key = record.Key{Name: anonymous, Role: record.Admin}
	}
	return &keyOutput{Body: ShowKey(key)}, nil
}

func (s *service) listKeys(ctx context.Context, _ *struct{}) (*listOutput[resource.Key], error) {
	output := &listOutput[resource.Key]{Body: resource.List[resource.Key]{Items: []resource.Key{}}}
	if s.Keys == nil {
		return output, nil
	}
	found, err := s.Keys.Keys(ctx)
	for _, key := range found {
		output.Body.Items = append(output.Body.Items, ShowKey(key))
	}
	return output, err
}

func (s *service) revokeKey(ctx context.Context, input *keyInput) (*struct{}, error) {
	id, err := ulid.ParseStrict(input.ID)
	if err != nil || s.Keys == nil {
		return nil, record.ErrKeyNotFound
	}
	if err := s.Keys.RevokeKey(ctx, id.String()); err != nil {
		return nil, err
	}
	s.keyring.forget()
	return nil, nil
}

// ShowKey returns the key as the API shows it, without its hash.
func ShowKey(key record.Key) resource.Key {
	return resource.Key{
		ID: key.ID, Name: key.Name, Role: string(key.Role), CreatedAt: resource.Time{Time: key.CreatedAt}, RevokedAt: resource.OptionalTime(key.RevokedAt),
		ExpiresAt: resource.OptionalTime(key.ExpiresAt), Definitions: key.Scope, LastUsedAt: resource.OptionalTime(key.LastUsedAt),
		OldUntil: resource.OptionalTime(key.OldUntil),
	}
}
