package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

const (
	secretPrefix = "sk_"
	secretBytes  = 32
	maxKeyName   = 64
)

// NewKey returns a new API key and its secret. The key holds only the hash of the secret.
func NewKey(name string, role record.Role, now time.Time) (key record.Key, secret string, err error) {
	switch {
	case strings.TrimSpace(name) == "" || !printable(name, maxKeyName):
		return record.Key{}, "", fmt.Errorf("the name of a key must have 1 to %d printable characters", maxKeyName)
	case !role.Includes(record.Viewer):
		return record.Key{}, "", errors.New("the role of a key must be viewer, operator or admin")
	}
	random := make([]byte, secretBytes)
	_, _ = rand.Read(random) // it never returns an error
	secret = secretPrefix + base64.RawURLEncoding.EncodeToString(random)
	hash := sha256.Sum256([]byte(secret))
	return record.Key{
		ID: ulid.Make().String(), Name: name, Role: role, Hash: hash[:], CreatedAt: now.UTC().Truncate(time.Microsecond),
	}, secret, nil
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
		id: "create-key", method: http.MethodPost, path: "/v1/keys", tag: tag, role: record.Admin,
		summary: "Create an API key", status: http.StatusCreated, body: bodyOf[resource.NewKey](),
		about: "`key` in the answer is the secret. It cannot be read again: the orchestrator stores only its hash.",
	}, s.createKey)
	register(s, route{
		id: "get-own-key", method: http.MethodGet, path: "/v1/keys/me", tag: tag, role: record.Viewer,
		summary: "Get the key of this request", about: "Its name and role. Without authentication: the name anonymous, the role admin, no id.",
	}, s.ownKey)
	register(s, route{
		id: "list-keys", method: http.MethodGet, path: "/v1/keys", tag: tag, role: record.Admin, summary: "List API keys",
	}, s.listKeys)
	register(s, route{
		id: "revoke-key", method: http.MethodDelete, path: "/v1/keys/{id}", tag: tag, role: record.Admin,
		summary: "Revoke an API key", about: "Every replica refuses the key within five seconds.",
		errors: []int{http.StatusNotFound},
	}, s.revokeKey)
}

func keyFaults(given resource.NewKey) []resource.FieldError {
	var faults []resource.FieldError
	if strings.TrimSpace(given.Name) == "" || !printable(given.Name, maxKeyName) {
		faults = append(faults, field("name", "must be 1 to "+decimal(maxKeyName)+" printable characters"))
	}
	if !record.Role(given.Role).Includes(record.Viewer) {
		faults = append(faults, field("role", "must be viewer, operator or admin"))
	}
	return faults
}

func (s *service) createKey(ctx context.Context, _ *struct{}) (*keyOutput, error) {
	given, err := decode(body(ctx), keyFaults)
	if err != nil {
		return nil, err
	}
	key, secret, err := NewKey(given.Name, record.Role(given.Role), s.Now())
	if err != nil {
		return nil, problem(resource.CodeInvalidField, err.Error())
	}
	if s.Keys == nil {
		return nil, problem(resource.CodeNotFound, "This orchestrator does not store keys.")
	}
	if err := s.Keys.CreateKey(ctx, key); err != nil {
		return nil, err
	}
	output := &keyOutput{Body: ShowKey(key)}
	output.Body.Secret = secret
	return output, nil
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
	}
}
