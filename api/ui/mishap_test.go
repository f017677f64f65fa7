package ui_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

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

func TestTheLimitsOfAQueueCanBeSentBack(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*server.Config) {})
	s.saga()
	s.api(http.MethodPatch, "/v1/queues/work", `{"max_out":9500,"rate":2500.5}`)
	form := s.get("/ui/queues/work").text
	assert.Contains(t, form, `value="9500"`)
	assert.Contains(t, form, `value="2500.5"`)
}
