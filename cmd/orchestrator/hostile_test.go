package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// attack sets the title of a terminal, clears it by two kinds of escape sequences, turns the direction of text, and adds lines.
const attack = "\x1b]0;owned\a\x1b[2J\u009b2J\u202e\u200f\u2066\r\n\tforged 01JD0000000000000000000000 completed\v\x00\x7f\u2028"

const deadLetters = `{"items":[{"id":"l","source":"reply","queue":"q","reason":"r","message":"m","saga_id":"s","size":1,
	"received_at":"2026-11-23T10:00:00Z"}],"next_cursor":"next"}`

// hostile passes requests on, and puts the attack into every text of every answer, except times and secrets.
func hostile(t *testing.T, server string) string {
	t.Helper()
	to, err := url.Parse(server)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(response *http.Response) error {
			body, err := io.ReadAll(response.Body)
			if err != nil {
				return err
			}
			switch kind := response.Header.Get("Content-Type"); {
			case strings.HasSuffix(response.Request.URL.Path, "/dead-letters"): // the embedded broker keeps none
				body = attacked([]byte(deadLetters))
			case strings.Contains(kind, "json"):
				body = attacked(body)
			case strings.Contains(kind, "event-stream"):
				body = regexp.MustCompile(`(?m)^data: (.*)$`).ReplaceAllFunc(body, func(line []byte) []byte {
					return append([]byte("data: "), attacked(bytes.TrimPrefix(line, []byte("data: ")))...)
				})
			}
			response.Body = io.NopCloser(bytes.NewReader(body))
			response.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return nil
		},
	}
	listening := httptest.NewServer(proxy)
	t.Cleanup(listening.Close)
	return listening.URL
}

func attacked(body []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return body
	}
	out, err := json.Marshal(poison(value))
	if err != nil {
		return body
	}
	return out
}

func poison(value any) any {
	switch v := value.(type) {
	case string:
		if _, err := time.Parse(time.RFC3339, v); err == nil || v == "" {
			return v
		}
		return v + attack
	case []any:
		for i := range v {
			v[i] = poison(v[i])
		}
	case map[string]any:
		for name := range v {
			if name != "status" || v["steps"] == nil { // the client stops to watch at the status of a saga
				v[name] = poison(v[name])
			}
		}
	}
	return value
}

// peopled is an orchestrator with something to show by every command, and the lines that show it.
func peopled(t *testing.T) (terminal, [][]string) {
	t.Helper()
	c := open(t)
	many := make([]string, 100)
	for i := range many {
		many[i] = `{"name":"step-` + strconv.Itoa(i) + `","command":"stock.reserve"}`
	}
	c.done("definitions", "put", "order", "-")
	require.Equal(t, exitDone, execute(t, `{"steps":[`+strings.Join(many, ",")+`]}`, "definitions", "put", "many", "-", "--server", c.url).code)
	big := `{"big":"` + strings.Repeat("\u202e", 80_000) + `","simulate":{"receipt":"broken"}}`
	require.Equal(t, exitDone, execute(t, big, "sagas", "start", "order", "--data", "-", "--wait", "20s", "--server", c.url).code)
	stuck := decoded[resource.List[resource.Saga]](c, "sagas", "list", "--definition", "order").Items[0]
	require.Equal(t, saga.Stuck, stuck.Status)
	long := decoded[resource.Saga](c, "sagas", "start", "many", "--wait", "20s")
	require.Equal(t, exitFailed, c.run("sagas", "pause", "--filter", "definition=many", "--reason", "none is left").code)
	action := decoded[resource.List[resource.BulkAction]](c, "actions", "list").Items[0]
	c.done("webhooks", "put", "ops", "--url", "https://127.0.0.1:1/", "--events", "saga.stuck")
	return c, [][]string{
		{"definitions", "list"},
		{"definitions", "show", "many"},
		{"sagas", "list"},
		{"sagas", "show", stuck.ID},
		{"sagas", "show", long.ID},
		{"sagas", "why", stuck.ID},
		{"sagas", "history", long.ID},
		{"sagas", "watch", long.ID},
		{"stuck"},
		{"sagas", "retry", "--filter", "definition=order", "--reason", "r", "--dry-run"},
		{"queues"},
		{"actions", "list"},
		{"actions", "show", action.ID},
		{"webhooks", "list"},
		{"audit", "list"},
		{"dead-letters", "list"},
		{"sagas", "show", "01JD0000000000000000000000"}, // a problem
	}
}

func TestNothingHostileReachesATerminal(t *testing.T) {
	t.Parallel()
	server, lines := peopled(t)
	c := terminal{t: t, url: hostile(t, server.url)}
	for _, line := range lines {
		for _, output := range []string{"table", "json"} {
			name := strings.Join(line, " ") + " as " + output
			r := c.run(append(line, "--output", output)...)
			assert.Contains(t, r.out+r.err, "owned", "%s shows what came", name)
			if line[len(line)-1] != "01JD0000000000000000000000" {
				assert.Equal(t, exitDone, r.code, "%s: %s", name, r.err)
			}
			requireCalm(t, name, r.out+r.err)
			assert.NotRegexp(t, `(?m)^\s*forged`, r.out+r.err, "%s: a text makes no line of its own", name)
			if output == "table" {
				assert.Less(t, len(r.out), 2<<20, name)
				for text := range strings.SplitSeq(r.out, "\n") {
					assert.Less(t, len(text), 100_000, "%s: a line", name)
				}
			}
		}
	}
}

// requireCalm fails if a text has characters that a terminal obeys or that change the direction of what follows.
func requireCalm(t *testing.T, name, text string) {
	t.Helper()
	for i, c := range text {
		if c != '\n' && !unicode.IsPrint(c) {
			require.Failf(t, "a character reaches the terminal", "%s: %U after %q", name, c, text[max(0, i-60):i])
		}
	}
}

func TestEscapedJSONIsTheSameValue(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"plain ü €", attack, "\U000e0001 and \U0001f600", strings.Repeat("\u202e", 1000)} {
		encoded, err := saga.EncodeJSON(map[string]string{text: text})
		require.NoError(t, err)
		shown := escaped(string(encoded))
		requireCalm(t, text, shown)
		var back map[string]string
		require.NoError(t, json.Unmarshal([]byte(shown), &back))
		assert.Equal(t, map[string]string{text: text}, back)
	}
	assert.JSONEq(t, `{"a":1.50}`, escaped(`{"a":1.50}`))
}

func TestAHostileSagaIsDrawnCalmly(t *testing.T) {
	t.Parallel()
	p := turnedBack()
	p.saga.ID, p.saga.Definition, p.saga.Status, p.why = attack, attack, saga.Status("running"+attack), strings.Repeat(attack, 10_000)
	p.saga.Failure.Code, p.saga.Failure.Message = attack, strings.Repeat(attack, 10_000)
	for i := range 100 {
		p.saga.Steps = append(p.saga.Steps, resource.SagaStep{
			Name: attack + strconv.Itoa(i), Status: saga.StepStatus(attack), Attempts: 2, Error: &saga.StepError{Code: attack, Message: attack},
		})
	}
	for _, attention := range []*resource.Attention{nil, {Reason: attack, Message: strings.Repeat(attack, 10_000), Step: attack}} {
		p.saga.Attention, p.saga.AllowedActions = attention, []saga.ActionName{saga.ActionName(attack)}
		for _, line := range p.lines(100, 40) {
			requireCalm(t, "a picture", line)
			assert.LessOrEqual(t, len([]rune(line)), 100)
		}
	}
}
