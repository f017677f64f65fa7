package ui_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/server"
)

// An operator who ticks nothing must not act on everything.
func TestActingOnTheTickedNeedsATickedRow(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*server.Config) {})
	s.saga()
	for _, on := range []string{"", "&on=dead_letters"} {
		refused := s.get("/ui/bulk/new?definition=order&some=1" + on)
		assert.Equal(t, http.StatusUnprocessableEntity, refused.StatusCode)
		assert.Contains(t, refused.text, "Tick a row first")
	}
	assert.Equal(t, http.StatusOK, s.get("/ui/bulk/new?definition=order&all=1").StatusCode)
}

// What a form does not show would be deleted by what it sends.
func TestAFormShowsLargeDataInFull(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*server.Config) {})
	id := s.saga().ID
	s.api(http.MethodPost, "/v1/sagas/"+id+"/pause", `{}`)
	patch := `{"first":"` + strings.Repeat("x", 60<<10) + `","last":"the-end"}`
	s.api(http.MethodPatch, "/v1/sagas/"+id+"/data?reason=x", patch)
	form := s.get("/ui/sagas/" + id + "/act/patch_data")
	assert.Contains(t, form.text, "the-end")
	assert.NotContains(t, form.text, "KiB more")
}

// A saga of almost 1 MiB, in members that are long, many and hostile, is shown in part, with a link to all of it, and its
// data is mended by a patch.
func TestAMegabyteOfDataIsShownInPart(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*server.Config) {})
	id := s.saga().ID
	s.api(http.MethodPost, "/v1/sagas/"+id+"/pause", `{}`)
	for i, value := range []string{strings.Repeat("x", 240<<10), strings.Repeat("<&", 120<<10), strings.Repeat("ש", 120<<10), strings.Repeat("'+", 100<<10)} {
		content, err := json.Marshal(map[string]any{fmt.Sprintf("member-%d", i): value})
		require.NoError(t, err)
		content = bytes.ReplaceAll(bytes.ReplaceAll(content, []byte(`\u003c`), []byte("<")), []byte(`\u0026`), []byte("&"))
		s.patch(id, string(content))
	}
	var members strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&members, `"%d-<b>":%d,`, i, i)
	}
	s.patch(id, "{"+members.String()+`"zz":"the-end"}`)
	for _, path := range []string{"", "/act/patch_data", "/act/resume", "/act/rewind"} {
		view := s.get("/ui/sagas/" + id + path)
		assert.Equal(t, http.StatusOK, view.StatusCode, path)
		assert.Less(t, len(view.text), 150_000, path)
	}
	assert.Contains(t, s.get("/ui/sagas/"+id).text, "more members")
	assert.Contains(t, s.get("/ui/sagas/"+id+"/whole/saga").text, "the-end")
	assert.Equal(t, http.StatusOK, s.get("/ui/sagas/"+id+"/whole/history").StatusCode)
	assert.Equal(t, http.StatusNotFound, s.get("/ui/sagas/"+id+"/whole/nothing").StatusCode)
	for _, path := range []string{"/why", "/history", ""} {
		assert.Equal(t, http.StatusOK, s.api(http.MethodGet, "/v1/sagas/"+id+path, "").StatusCode, path)
	}
	done := s.send(http.MethodPost, "/ui/sagas/"+id+"/act/patch_data", url.Values{"patch": {`{"zz":null}`}, "reason": {"a test"}})
	assert.Equal(t, http.StatusSeeOther, done.StatusCode, done.text)
	assert.NotContains(t, s.get("/ui/sagas/"+id+"/whole/saga").text, "the-end")
}

// patch changes the data of a saga. On a busy machine a large change may time out; it is then sent again, as the API says.
func (s *site) patch(id, change string) {
	s.t.Helper()
	status := http.StatusServiceUnavailable
	for deadline := time.Now().Add(5 * time.Minute); status == http.StatusServiceUnavailable && time.Now().Before(deadline); {
		request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPatch, s.origin+"/v1/sagas/"+id+"/data?reason=x", strings.NewReader(change))
		require.NoError(s.t, err)
		request.Header.Set("Content-Type", "application/json")
		response, err := s.client.Do(request)
		require.NoError(s.t, err)
		require.NoError(s.t, response.Body.Close())
		status = response.StatusCode
	}
	require.Equal(s.t, http.StatusOK, status)
}

func TestAFormThatIsTooLargeChangesNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*server.Config) {})
	s.saga()
	refused := s.send(http.MethodPost, "/ui/definitions/order/start", url.Values{"data": {strings.Repeat("x", 5<<20)}})
	assert.Equal(t, http.StatusBadRequest, refused.StatusCode)
	var list resource.List[resource.Saga]
	require.NoError(t, json.Unmarshal([]byte(s.api(http.MethodGet, "/v1/sagas", "").text), &list))
	assert.Len(t, list.Items, 1)
}

// An action applies to the state that its form has shown.
func TestAnActionOnAnotherRevisionIsShownAgain(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*server.Config) {})
	id := s.saga().ID
	s.api(http.MethodPost, "/v1/sagas/"+id+"/pause", `{}`) // another operator, meanwhile
	form := url.Values{"reason": {"x"}, "revision": {"1"}}
	refused := s.send(http.MethodPost, "/ui/sagas/"+id+"/act/abandon", form)
	assert.Equal(t, http.StatusPreconditionFailed, refused.StatusCode)
	assert.Contains(t, refused.text, `name="revision" value="2"`)
	form.Set("revision", "2")
	assert.Equal(t, http.StatusSeeOther, s.send(http.MethodPost, "/ui/sagas/"+id+"/act/abandon", form).StatusCode)
}

// Edited data is a change of the data that the form had shown. On newer data it would take back what another operator did.
func TestEditedDataIsNotForeseenOnAnotherRevision(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*server.Config) {})
	id := s.saga().ID
	s.api(http.MethodPost, "/v1/sagas/"+id+"/pause", `{}`)
	s.api(http.MethodPatch, "/v1/sagas/"+id+"/data?reason=x", `{"other":1}`)
	form := url.Values{"reason": {"x"}, "revision": {"2"}, "data": {`{"mine":1}`}, "preview": {"1"}}
	old := s.send(http.MethodPost, "/ui/sagas/"+id+"/act/patch_data", form)
	assert.Contains(t, old.text, "the saga has changed since this form showed its data (revision 2, now 3)")
	assert.NotContains(t, old.text, "It would now")
	form.Set("revision", "3")
	assert.Contains(t, s.send(http.MethodPost, "/ui/sagas/"+id+"/act/patch_data", form).text, "It would now")
}

func TestTheLimitsOfAQueueCanBeSentBack(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*server.Config) {})
	s.saga()
	s.api(http.MethodPatch, "/v1/queues/work", `{"max_out":9500,"rate":2500.5}`)
	form := s.get("/ui/queues/work").text
	assert.Contains(t, form, `value="9500"`)
	assert.Contains(t, form, `value="2500.5"`)
}
