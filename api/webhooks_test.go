package api_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

const pager = `{"url":"https://example.com/hook?token=abc","events":["saga.stuck","queue.unhealthy","saga.stuck"]}`

func TestAWebhookIsStoredAndItsSecretShownOnce(t *testing.T) {
	t.Parallel()
	o := start(t)
	made := into[resource.Webhook](o.send(http.MethodPut, "/v1/webhooks/pager", pager), http.StatusCreated)
	assert.Equal(t, []string{"queue.unhealthy", "saga.stuck"}, made.Events)
	assert.True(t, strings.HasPrefix(made.Secret, "whsec_"))
	changed := into[resource.Webhook](o.send(http.MethodPut, "/v1/webhooks/pager", `{"url":"http://10.0.0.1/","events":["saga.attention"]}`), http.StatusOK)
	assert.Empty(t, changed.Secret, "it has not changed")
	assert.Equal(t, made.CreatedAt, changed.CreatedAt)
	given := "whsec_" + strings.Repeat("MDEy", 8)
	set := into[resource.Webhook](o.send(http.MethodPut, "/v1/webhooks/pager", `{"url":"http://10.0.0.1/","events":["saga.attention"],"secret":"`+given+`"}`), http.StatusOK)
	assert.Equal(t, given, set.Secret)
	shown := into[resource.Webhook](o.get("/v1/webhooks/pager"), http.StatusOK)
	set.Secret = ""
	assert.Equal(t, set, shown)
	list := into[resource.List[resource.Webhook]](o.get("/v1/webhooks"), http.StatusOK)
	assert.Equal(t, []resource.Webhook{shown}, list.Items)
	require.Equal(t, http.StatusNoContent, o.send(http.MethodDelete, "/v1/webhooks/pager", "").StatusCode)
	for _, path := range []string{"/v1/webhooks/pager", "/v1/webhooks/none"} {
		o.get(path).problem(http.StatusNotFound, resource.CodeWebhookNotFound)
		o.send(http.MethodDelete, path, "").problem(http.StatusNotFound, resource.CodeWebhookNotFound)
		o.post(path+"/test", "").problem(http.StatusNotFound, resource.CodeWebhookNotFound)
	}
}

func TestAWebhookThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	o := start(t)
	body := func(url, events, more string) string { return `{"url":"` + url + `","events":` + events + more + `}` }
	for pointer, bodies := range map[string][]string{
		"/url": {
			body("", `["saga.stuck"]`, ""), body("ftp://x", `["saga.stuck"]`, ""), body("/path", `["saga.stuck"]`, ""),
			body("http://user:pw@x/", `["saga.stuck"]`, ""), body("http://169.254.169.254/latest", `["saga.stuck"]`, ""),
			body("http://[fe80::1]/", `["saga.stuck"]`, ""), body("http://[::ffff:169.254.169.254]/", `["saga.stuck"]`, ""),
			body("http://[64:ff9b::a9fe:a9fe]/", `["saga.stuck"]`, ""), body("http://x:99999/", `["saga.stuck"]`, ""), body("http://x:0/", `["saga.stuck"]`, ""),
			body("http://"+strings.Repeat("h", 254)+"/", `["saga.stuck"]`, ""), body("http://0.0.0.0/", `["saga.stuck"]`, ""), body("http://x/"+strings.Repeat("y", 2040), `["saga.stuck"]`, ""),
		},
		"/events":   {body("http://x", `[]`, "")},
		"/events/1": {body("http://x", `["saga.stuck","saga.exploded"]`, "")},
		"/secret":   {body("http://x", `["saga.stuck"]`, `,"secret":"short"`), body("http://x", `["saga.stuck"]`, `,"secret":"whsec_AAAA"`)},
	} {
		for _, b := range bodies {
			found := o.send(http.MethodPut, "/v1/webhooks/a", b).problem(http.StatusUnprocessableEntity, resource.CodeInvalidField)
			require.Len(t, found.Errors, 1, b)
			assert.Equal(t, pointer, found.Errors[0].Pointer, b)
		}
	}
	for _, name := range []string{"A", "-a", "a.b", strings.Repeat("a", 64)} {
		o.send(http.MethodPut, "/v1/webhooks/"+name, pager).problem(http.StatusUnprocessableEntity, resource.CodeInvalidParameter)
	}
}

func TestAWebhookIsTested(t *testing.T) {
	t.Parallel()
	var sent record.Delivery
	var answer error
	o := start(t, func(c *api.Config) {
		c.SendWebhook = func(_ context.Context, d record.Delivery) error { sent = d; return answer }
	})
	made := into[resource.Webhook](o.send(http.MethodPut, "/v1/webhooks/pager", pager), http.StatusCreated)
	assert.Equal(t, resource.WebhookTest{Delivered: true}, into[resource.WebhookTest](o.post("/v1/webhooks/pager/test", ""), http.StatusOK))
	assert.Equal(t, []string{made.URL, "webhook.test"}, []string{sent.URL, sent.Type})
	assert.Contains(t, string(sent.Body), `"type":"webhook.test"`)
	answer = errors.New("it answered 500")
	assert.Equal(t, resource.WebhookTest{Error: "it answered 500"}, into[resource.WebhookTest](o.post("/v1/webhooks/pager/test", ""), http.StatusOK))
}

func TestWebhooksAreTheAdmins(t *testing.T) {
	t.Parallel()
	o := start(t, withKeys)
	_, secret := o.holder(record.Operator)
	o.key = secret
	for _, call := range [][2]string{{http.MethodGet, "/v1/webhooks"}, {http.MethodPut, "/v1/webhooks/a"}, {http.MethodDelete, "/v1/webhooks/a"}, {http.MethodPost, "/v1/webhooks/a/test"}} {
		o.send(call[0], call[1], pager).problem(http.StatusForbidden, resource.CodeForbidden)
	}
}
