package server_test

import (
	"net/http"
	urlpath "path"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/server"
)

func TestEditedSagasAreShownAndCanBeAbandoned(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "shop")
	config := server.Config{DatabaseURL: env.Database(t), AMQPURL: url, AMQPPrefix: prefix, Migrate: true}
	first, end := serving(t, config)
	ready(t, first)
	for _, name := range []string{"sound", "row", "time", "definition", "shorter", "gone", "ended"} {
		status, answer := request(t, http.MethodPut, first.URL()+"/v1/definitions/"+name,
			`{"steps":[{"name":"reserve","command":"shop.reserve"},{"name":"ship","command":"shop.ship"}]}`)
		require.Equal(t, http.StatusCreated, status, answer)
		status, answer = request(t, http.MethodPost, first.URL()+"/v1/sagas", `{"definition":"`+name+`","key":"`+name+`"}`)
		require.Equal(t, http.StatusCreated, status, answer)
	}
	end()
	connection, err := pgx.Connect(t.Context(), config.DatabaseURL)
	require.NoError(t, err)
	for _, edit := range []string{
		`update sagas set progress = '{"s":"what is this"}' where definition = 'row'`,
		`update sagas set updated_at = 'infinity' where definition = 'time'`,
		`update definitions set body = '{"steps":[{"name":"only","kind":"quantum"}]}' where name = 'definition'`,
		`update definitions set body = '{"steps":[{"name":"reserve","command":"shop.reserve"}]}' where name = 'shorter'`,
		`delete from definitions where name = 'gone'`,
		`update sagas set status = 'completed', finished_at = 'infinity', wake_at = null where definition = 'ended'`,
	} {
		_, err := connection.Exec(t.Context(), edit)
		require.NoError(t, err, edit)
	}
	require.NoError(t, connection.Close(t.Context()))

	s, _ := serving(t, config)
	ready(t, s)
	type shown struct {
		ID, Definition, Status, Unreadable string
		AllowedActions                     []string `json:"allowed_actions"`
	}
	sagas := list[shown](t, s.URL()+"/v1/sagas")
	require.Len(t, sagas, 7)
	for _, one := range sagas {
		if one.Definition == "sound" {
			require.Empty(t, one.Unreadable)
			continue
		}
		path := s.URL() + "/v1/sagas/" + one.ID
		require.NotEmpty(t, one.Unreadable, one.Definition)
		if one.Definition == "ended" {
			hasEnded(t, path)
			continue
		}
		require.Equal(t, []string{"abandon"}, one.AllowedActions)
		for _, what := range []string{"", "/why", "/history"} {
			status, answer := request(t, http.MethodGet, path+what, "")
			require.Equal(t, http.StatusOK, status, answer)
		}
		status, answer := request(t, http.MethodPost, path+"/retry", `{"reason":"repaired"}`)
		require.Equal(t, http.StatusConflict, status, "%s: %s", one.Definition, answer)
		status, answer = request(t, http.MethodPost, path+"/abandon", `{"reason":"cannot be read"}`)
		require.Equal(t, http.StatusOK, status, "%s: %s", one.Definition, answer)
		require.Contains(t, answer, `"status":"abandoned"`)
		status, now := request(t, http.MethodGet, path, "")
		require.Equal(t, http.StatusOK, status, now)
		require.JSONEq(t, now, answer, "the answer is the saga as it is now")
		hasEnded(t, path)
	}
	require.Len(t, list[shown](t, s.URL()+"/v1/sagas?status=abandoned"), 5)
	_, answer := request(t, http.MethodGet, s.URL()+"/v1/definitions", "")
	require.Equal(t, 1, strings.Count(answer, `"unreadable":"`), answer)
	definition := s.URL() + "/v1/definitions/definition"
	for _, disabled := range []string{`"disabled":true`, `"disabled":false`} {
		status, answer := request(t, http.MethodPatch, definition, `{`+disabled+`}`)
		require.Equal(t, http.StatusOK, status, answer)
		require.Contains(t, answer, disabled)
		for _, path := range []string{"", "/versions/1", "/versions"} {
			_, answer := request(t, http.MethodGet, definition+path, "")
			require.Contains(t, answer, disabled, path)
		}
	}
}

// hasEnded asserts that a saga that cannot be read answers as any finished saga.
func hasEnded(t *testing.T, path string) {
	t.Helper()
	_, answer := request(t, http.MethodGet, path+"/why", "")
	require.Contains(t, answer, `"cause":"done"`)
	require.Contains(t, answer, `"allowed_actions":[]`)
	for _, action := range []string{"abandon", "retry"} {
		status, answer := request(t, http.MethodPost, path+"/"+action, `{"reason":"again"}`)
		require.Equal(t, http.StatusConflict, status, answer)
		require.Contains(t, answer, `"not_applicable"`)
		require.NotContains(t, answer, `"abandon"`, "it does not apply either")
	}
	collection, id := urlpath.Split(path)
	status, answer := request(t, http.MethodPost, collection+"actions", `{"action":"abandon","filter":{"ids":["`+id+`"]},"reason":"again","dry_run":true}`)
	require.Equal(t, http.StatusOK, status, answer)
	require.Contains(t, answer, `"refused":"abandon does not apply to a saga that is `, "a dry run agrees")
}
