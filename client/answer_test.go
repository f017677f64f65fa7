package client_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
)

// results has a call for each type of result, and the first member of that type.
func results(t *testing.T) map[string]func(*client.Client) error {
	t.Helper()
	ctx := t.Context()
	return map[string]func(*client.Client) error{
		"id": func(c *client.Client) error { _, err := c.Start(ctx, client.StartRequest{}); return err },
		"name": func(c *client.Client) error {
			_, err := c.Definition(ctx, "order", 0)
			return err
		},
		"items":     func(c *client.Client) error { _, err := c.Sagas(ctx, client.Filter{}, client.Page{}); return err },
		"sagas":     func(c *client.Client) error { _, err := c.Stats(ctx); return err },
		"seq":       func(c *client.Client) error { _, err := c.AuditChain(ctx); return err },
		"cause":     func(c *client.Client) error { _, err := c.Why(ctx, "1"); return err },
		"matched":   func(c *client.Client) error { _, err := c.DryRunOnSagas(ctx, resource.BulkRequest{}); return err },
		"delivered": func(c *client.Client) error { _, err := c.TestWebhook(ctx, "pager"); return err },
		"status":    func(c *client.Client) error { _, err := c.Ready(ctx); return err },
	}
}

func TestASuccessThatIsNotOfAnOrchestratorIsAnError(t *testing.T) {
	t.Parallel()
	for member, call := range results(t) {
		for _, answer := range []string{
			"", "null", "{}", "[]", `"id"`, `{"other":{"` + member + `":1}}`, `{"Id":"1","Status":"ok"}`, "<html>", `{"a":1,`,
		} {
			c, requests := answering(t, client.Config{Answered: func([]byte) { t.Error(answer) }}, replies(http.StatusOK, answer))
			err := call(c)
			require.ErrorContains(t, err, ": the answer is not that of an orchestrator", "%s: %s", member, answer)
			assert.Contains(t, err.Error(), " http://127.0.0.1:", "it names what answered")
			assert.EqualValues(t, 1, requests.Load(), "it is not asked again")
		}
		c, _ := answering(t, client.Config{}, replies(http.StatusNoContent, ""))
		require.ErrorContains(t, call(c), "not that of an orchestrator", member)
	}
}

func TestTheFirstMemberMayStandInAnEmbeddedType(t *testing.T) {
	t.Parallel()
	c, _ := answering(t, client.Config{}, replies(http.StatusOK, `{"exists":true,"name":"stock","samples":[]}`), replies(http.StatusOK, `{"samples":[]}`))
	details, err := c.Queue(t.Context(), "stock")
	require.NoError(t, err)
	assert.Equal(t, "stock", details.Name)
	_, err = c.Queue(t.Context(), "stock")
	require.ErrorContains(t, err, "not that of an orchestrator")
}

func TestACallWithoutAResultTakesOnlyNoContent(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for name, call := range map[string]func(*client.Client) error{
		"webhook":     func(c *client.Client) error { return c.DeleteWebhook(ctx, "pager") },
		"key":         func(c *client.Client) error { return c.RevokeKey(ctx, "1") },
		"dead letter": func(c *client.Client) error { return c.Discard(ctx, "1") },
	} {
		for _, answer := range []string{"", "{}", `{"status":"ok"}`} {
			c, _ := answering(t, client.Config{}, replies(http.StatusOK, answer))
			require.ErrorContains(t, call(c), "DELETE http://127.0.0.1", name)
		}
		c, _ := answering(t, client.Config{}, replies(http.StatusNoContent, ""))
		require.NoError(t, call(c), name)
	}
}

func TestAWatchOfSomethingElseEnds(t *testing.T) {
	t.Parallel()
	for _, next := range []http.HandlerFunc{
		replies(200, ""), replies(200, "{}"), replies(200, "{}\n"), replies(200, "<html>\n</html>\n"), replies(http.StatusNoContent, ""),
	} {
		c, requests := answering(t, client.Config{Reconnect: time.Minute}, next)
		_, err := watched(t, c)
		require.ErrorContains(t, err, "the answer is not that of an orchestrator")
		assert.LessOrEqual(t, requests.Load(), int64(3))
	}
}
