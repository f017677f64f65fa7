package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Register registers a definition and returns it with its version. Registering the same definition again returns the
// same version; a changed one gets the next version.
func (c *Client) Register(ctx context.Context, definition *saga.Definition) (resource.Definition, error) {
	body, err := encode(definition)
	if err != nil {
		return resource.Definition{}, err
	}
	return c.PutDefinition(ctx, definition.Name, body)
}

// PutDefinition is Register for a definition in its JSON form.
func (c *Client) PutDefinition(ctx context.Context, name string, body json.RawMessage) (resource.Definition, error) {
	return do[resource.Definition](ctx, c, call{
		method: http.MethodPut, path: join("v1", "definitions", name), body: body,
	})
}

// Definition returns one version of a definition. Version 0 is the latest.
func (c *Client) Definition(ctx context.Context, name string, version int) (resource.Definition, error) {
	if version == 0 {
		return get[resource.Definition](ctx, c, nil, "v1", "definitions", name)
	}
	return get[resource.Definition](ctx, c, nil, "v1", "definitions", name, "versions", strconv.Itoa(version))
}

// Definitions returns a page of definitions in the order of their names, each in its latest version.
func (c *Client) Definitions(ctx context.Context, page Page) (resource.List[resource.Definition], error) {
	return get[resource.List[resource.Definition]](ctx, c, page.query(), "v1", "definitions")
}

// DefinitionVersions returns the newest versions of a definition, newest first.
func (c *Client) DefinitionVersions(ctx context.Context, name string) (resource.List[resource.Definition], error) {
	return get[resource.List[resource.Definition]](ctx, c, nil, "v1", "definitions", name, "versions")
}

// DeadLetterFilter selects dead letters. One must match every field that is set; nil fields match every dead letter.
type DeadLetterFilter struct {
	Queue          *string // to which it was going
	Reason         *string
	Source         *string // command, reply or start
	Saga           *string // id of the saga
	ReceivedAfter  *time.Time
	ReceivedBefore *time.Time
}

func (f DeadLetterFilter) query(page Page) url.Values {
	query := page.query()
	for name, text := range map[string]*string{"queue": f.Queue, "reason": f.Reason, "source": f.Source, "saga": f.Saga} {
		if text != nil {
			query.Set(name, *text)
		}
	}
	for name, at := range map[string]*time.Time{"received_after": f.ReceivedAfter, "received_before": f.ReceivedBefore} {
		if at != nil {
			query.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	return query
}

// DeadLetters returns a page of messages that could not be processed, newest first, without their content.
func (c *Client) DeadLetters(ctx context.Context, page Page) (resource.List[resource.DeadLetter], error) {
	return c.FindDeadLetters(ctx, DeadLetterFilter{}, page)
}

// FindDeadLetters returns a page of the dead letters that the filter selects, as DeadLetters does.
func (c *Client) FindDeadLetters(ctx context.Context, filter DeadLetterFilter, page Page) (resource.List[resource.DeadLetter], error) {
	return get[resource.List[resource.DeadLetter]](ctx, c, filter.query(page), "v1", "dead-letters")
}

// DeadLetter returns one dead letter with its content.
func (c *Client) DeadLetter(ctx context.Context, id string) (resource.DeadLetter, error) {
	return get[resource.DeadLetter](ctx, c, nil, "v1", "dead-letters", id)
}

// Stats returns counts of sagas by definition and status, and the throughput.
func (c *Client) Stats(ctx context.Context) (resource.Stats, error) {
	return get[resource.Stats](ctx, c, nil, "v1", "stats")
}

// AuditFilter selects entries of the audit log that match all non-nil fields.
type AuditFilter struct {
	Actor  *string // name of the key
	Target *string // such as sagas/01J…, or the id or the name alone
	Since  *time.Time
	Until  *time.Time
}

// Audit returns a page of the changes that came by the API, newest first.
func (c *Client) Audit(ctx context.Context, filter AuditFilter, page Page) (resource.List[resource.AuditEntry], error) {
	query := page.query()
	for name, text := range map[string]*string{"actor": filter.Actor, "target": filter.Target} {
		if text != nil {
			query.Set(name, *text)
		}
	}
	for name, at := range map[string]*time.Time{"since": filter.Since, "until": filter.Until} {
		if at != nil {
			query.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	return get[resource.List[resource.AuditEntry]](ctx, c, query, "v1", "audit")
}

// AuditChain returns the beginning and the end of the audit log.
func (c *Client) AuditChain(ctx context.Context) (resource.AuditChain, error) {
	return get[resource.AuditChain](ctx, c, nil, "v1", "audit", "chain")
}

// CreateKey creates an API key. The answer holds its secret, which cannot be read again.
func (c *Client) CreateKey(ctx context.Context, wanted resource.NewKey) (resource.Key, error) {
	body, err := encode(wanted)
	if err != nil {
		return resource.Key{}, err
	}
	return do[resource.Key](ctx, c, call{method: http.MethodPost, path: "/v1/keys", body: body})
}

// RotateKey replaces the secret of an API key. The answer holds the new one. The one before stays valid for the grace, such
// as "1h"; empty: it becomes invalid at once.
func (c *Client) RotateKey(ctx context.Context, id, grace string) (resource.Key, error) {
	body, err := encode(resource.RotateKey{Grace: grace})
	if err != nil {
		return resource.Key{}, err
	}
	return do[resource.Key](ctx, c, call{method: http.MethodPost, path: join("v1", "keys", id, "rotate"), body: body})
}

// Keys returns every API key, without the secrets.
func (c *Client) Keys(ctx context.Context) (resource.List[resource.Key], error) {
	return get[resource.List[resource.Key]](ctx, c, nil, "v1", "keys")
}

// RevokeKey revokes an API key. Every replica refuses the key within five seconds.
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	return c.doWithout(ctx, call{method: http.MethodDelete, path: join("v1", "keys", id)})
}

// Health returns the orchestrator's version. It fails if the process does not answer.
func (c *Client) Health(ctx context.Context) (resource.Health, error) {
	return get[resource.Health](ctx, c, nil, "healthz")
}

// Ready reports whether the orchestrator can work. An orchestrator that cannot is not an error: its Status is then not
// "ok", and Checks names the reason.
func (c *Client) Ready(ctx context.Context) (resource.Health, error) {
	return do[resource.Health](ctx, c, call{
		method: http.MethodGet, path: "/readyz", repeatable: true, answer: http.StatusServiceUnavailable,
	})
}
