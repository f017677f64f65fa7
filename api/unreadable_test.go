package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// edited is a database with edited rows, so that these sagas and definitions cannot be read.
type edited struct {
	api.Reads
	rows        map[string]bool
	definitions map[string]error
}

var errSecret = fmt.Errorf("%w: unexpected member with the secret 4711", record.ErrUnreadable)

func (e *edited) broken(stored record.StoredSaga) record.StoredSaga {
	if e.rows[stored.ID] {
		stored.Unreadable, stored.Data, stored.Labels = errSecret, nil, nil
		for i := range stored.Steps {
			stored.Steps[i] = saga.StepState{Name: stored.Steps[i].Name}
		}
	}
	return stored
}

func (e *edited) Saga(ctx context.Context, id string) (record.StoredSaga, error) {
	stored, err := e.Reads.Saga(ctx, id)
	return e.broken(stored), err
}

func (e *edited) Sagas(ctx context.Context, filter record.Filter, page record.Page) ([]record.StoredSaga, string, error) {
	found, next, err := e.Reads.Sagas(ctx, filter, page)
	for i := range found {
		found[i] = e.broken(found[i])
	}
	return found, next, err
}

func (e *edited) Definition(ctx context.Context, name string, version int) (*saga.Definition, error) {
	if err := e.definitions[name]; err != nil {
		return nil, err
	}
	return e.Reads.Definition(ctx, name, version)
}

func (e *edited) LatestDefinition(ctx context.Context, name string) (record.RegisteredDefinition, error) {
	if err := e.definitions[name]; err != nil {
		return record.RegisteredDefinition{}, err
	}
	return e.Reads.LatestDefinition(ctx, name)
}

func (e *edited) DefinitionVersion(ctx context.Context, name string, version int) (record.RegisteredDefinition, error) {
	if err := e.definitions[name]; err != nil {
		return record.RegisteredDefinition{}, err
	}
	return e.Reads.DefinitionVersion(ctx, name, version)
}

func (e *edited) marked(found []record.RegisteredDefinition) []record.RegisteredDefinition {
	for i := range found {
		if err := e.definitions[found[i].Name]; errors.Is(err, record.ErrUnreadable) {
			found[i] = record.RegisteredDefinition{
				Definition: &saga.Definition{Name: found[i].Name, Version: found[i].Version}, CreatedAt: found[i].CreatedAt, Unreadable: err,
			}
		}
	}
	return found
}

func (e *edited) Definitions(ctx context.Context, page record.Page) ([]record.RegisteredDefinition, string, error) {
	found, next, err := e.Reads.Definitions(ctx, page)
	return e.marked(found), next, err
}

func (e *edited) DefinitionVersions(ctx context.Context, name string, page record.Page) ([]record.RegisteredDefinition, string, error) {
	found, next, err := e.Reads.DefinitionVersions(ctx, name, page)
	return e.marked(found), next, err
}

func TestUnreadableSagasAndDefinitionsAreShownInPart(t *testing.T) {
	t.Parallel()
	rows := &edited{rows: map[string]bool{}, definitions: map[string]error{}}
	o := start(t, func(c *api.Config) { rows.Reads = c.Reads; c.Reads = rows })
	for _, name := range []string{"order", "newer", "gone"} {
		o.define(name, reserve, charge)
	}
	sound := o.begin(`{"definition":"order","key":"sound"}`).ID
	row := o.begin(`{"definition":"order","key":"broken-row"}`).ID
	newer := o.begin(`{"definition":"newer","key":"newer"}`).ID
	gone := o.begin(`{"definition":"gone","key":"gone"}`).ID
	rows.rows[row] = true
	rows.definitions["newer"], rows.definitions["gone"] = errSecret, record.ErrDefinitionNotFound
	fresh := start(t, func(c *api.Config) { c.Reads = rows }) // its cache is empty
	fresh.store = o.store

	for _, id := range []string{row, newer, gone} {
		path := "/v1/sagas/" + id
		shown := fresh.get(path).saga(http.StatusOK)
		assert.NotEmpty(t, shown.Unreadable)
		assert.NotContains(t, string(shown.Unreadable), "4711", "the reason does not repeat stored values")
		assert.Equal(t, []saga.ActionName{saga.ActionAbandon}, shown.AllowedActions)
		assert.Equal(t, saga.Running, shown.Status)
		assert.Equal(t, "reserve", shown.Steps[0].Name)
		assert.JSONEq(t, `{}`, string(shown.Data))
		assert.Equal(t, id, fresh.get(path+"?wait=10ms&since=1").saga(http.StatusOK).ID)
		why := into[resource.Why](fresh.get(path+"/why"), http.StatusOK)
		assert.Equal(t, resource.CauseUnreadable, why.Cause)
		assert.Equal(t, []saga.ActionName{saga.ActionAbandon}, why.AllowedActions)
		assert.Nil(t, why.NextAutomatic, "an unreadable saga does not move")
		fresh.get(path + "/history")
		ctx, leave := context.WithTimeout(t.Context(), 5*time.Second)
		event := firstEvent(t, ctx, fresh, path+"/watch")
		leave()
		assert.Contains(t, event, `"unreadable":"Th`)
	}
	list := into[resource.List[resource.Saga]](fresh.get("/v1/sagas"), http.StatusOK).Items
	require.Len(t, list, 4, "an unreadable saga does not remove others from the list")
	for _, shown := range list {
		assert.Equal(t, shown.ID != sound, shown.Unreadable != "", shown.ID)
	}

	definitions := into[resource.List[resource.Definition]](fresh.get("/v1/definitions"), http.StatusOK).Items
	require.Len(t, definitions, 3)
	for _, shown := range definitions {
		assert.Equal(t, shown.Name == "newer", shown.Unreadable != "", shown.Name)
	}
	for _, path := range []string{"/v1/definitions/newer", "/v1/definitions/newer/versions/1"} {
		shown := into[resource.Definition](fresh.get(path), http.StatusOK)
		assert.NotEmpty(t, shown.Unreadable)
		assert.Equal(t, 1, shown.Version)
		assert.JSONEq(t, `[]`, string(shown.Steps))
	}
	fresh.get("/v1/definitions/newer/versions/2").problem(404, "definition_not_found")
	into[resource.List[resource.Queue]](fresh.get("/v1/queues"), http.StatusOK)
}

// firstEvent reads a stream up to the first event.
func firstEvent(t *testing.T, ctx context.Context, o *orchestrator, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.url+path, nil)
	require.NoError(t, err)
	response, err := o.client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	buffer, text := make([]byte, 4096), ""
	for !strings.Contains(text, "data: ") || !strings.HasSuffix(text, "\n\n") {
		n, err := response.Body.Read(buffer)
		text += string(buffer[:n])
		require.NoError(t, err, text)
	}
	return text
}

// unable is an engine that cannot read any saga.
type unable struct{ api.Engine }

func (unable) Act(context.Context, string, saga.Action) (saga.Instance, error) {
	return saga.Instance{}, errSecret
}

func (unable) Start(context.Context, record.StartRequest) (saga.Instance, bool, error) {
	return saga.Instance{}, false, errSecret
}

func TestActionsOnAnUnreadableSagaAllowOnlyAbandon(t *testing.T) {
	t.Parallel()
	o := start(t, func(c *api.Config) { c.Engine = unable{c.Engine} })
	refused := o.post("/v1/sagas/01JD0000000000000000000000/retry", `{"reason":"x"}`).problem(409, "not_applicable")
	assert.Equal(t, []saga.ActionName{saga.ActionAbandon}, refused.AllowedActions)
	assert.NotContains(t, refused.Detail, "4711")
	assert.NotContains(t, o.post("/v1/sagas", `{"definition":"order"}`).problem(409, "unreadable").Detail, "4711")
}
