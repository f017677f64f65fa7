package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/api/ui"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/server"
)

// recorder passes calls on to an API, and records those that change something, as "POST /v1/sagas/{id}/retry".
type recorder struct {
	next     http.Handler
	patterns map[string]*regexp.Regexp // of the operations that change something

	mutex sync.Mutex
	seen  map[string]bool
}

func (c *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mutex.Lock()
	for name, pattern := range c.patterns {
		if pattern.MatchString(r.Method + " " + r.URL.Path) {
			c.seen[name] = true
		}
	}
	c.mutex.Unlock()
	c.next.ServeHTTP(w, r)
}

func (c *recorder) operations() []string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var names []string
	for name := range c.seen {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// changes returns the operations of the API that change something, by the OpenAPI document.
func changes(t *testing.T, origin string) map[string]*regexp.Regexp {
	t.Helper()
	response, err := http.Get(origin + "/openapi.json")
	require.NoError(t, err)
	defer response.Body.Close()
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&document))
	found := make(map[string]*regexp.Regexp)
	for path, methods := range document.Paths {
		for method := range methods {
			if method == "get" || method == "head" {
				continue
			}
			name := strings.ToUpper(method) + " " + path
			found[name] = regexp.MustCompile("^" + regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(regexp.QuoteMeta(name), "[^/]+") + "$")
		}
	}
	require.Greater(t, len(found), 15)
	return found
}

// orchestratorToChange is an orchestrator with one of everything, and recorders for two kinds of callers.
type orchestratorToChange struct {
	url          string
	patterns     map[string]*regexp.Regexp
	saga, letter string
	bulk, key    string
}

func openToChange(t *testing.T) orchestratorToChange {
	t.Helper()
	s, err := server.Open(t.Context(), server.Config{Listen: "127.0.0.1:0", Auth: "none"})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(t, s.Run(ctx)) })
	t.Cleanup(func() { stop(); running.Wait() })
	c := client.New(client.Config{Server: s.URL()})
	_, err = c.PutDefinition(ctx, "order", json.RawMessage(`{"steps":[{"name":"do","command":"work.do","compensation":"work.release"},
		{"name":"approval","signal":"approved"}]}`))
	require.NoError(t, err)
	started, err := c.Start(ctx, client.StartRequest{Definition: "order"})
	require.NoError(t, err)
	bulk, err := c.ActOnSagas(ctx, resource.BulkRequest{Action: "pause", Filter: json.RawMessage(`{"definition":"order"}`), Reason: "a test"})
	require.NoError(t, err)
	key, err := c.CreateKey(ctx, resource.NewKey{Name: "ci", Role: "viewer"})
	require.NoError(t, err)
	return orchestratorToChange{
		url: s.URL(), patterns: changes(t, s.URL()), saga: started.ID, letter: "01JD0000000000000000000000", bulk: bulk.ID, key: key.ID,
	}
}

func (o orchestratorToChange) recorder(t *testing.T) *recorder {
	t.Helper()
	address, err := url.Parse(o.url)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(address) }}
	return &recorder{next: proxy, patterns: o.patterns, seen: make(map[string]bool)}
}

var (
	form   = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)".*?</form>`)
	field  = regexp.MustCompile(`<(?:input|textarea|select|button)[^>]*\sname="([^"]+)"(?:[^>]*\svalue="([^"]*)")?`)
	action = regexp.MustCompile(`^POST /v1/sagas/\{id\}/([a-z_]+)$`)
)

// submit sends every form of a view with its own values, and a value for each empty field.
func submit(t *testing.T, origin, path string) {
	t.Helper()
	for _, found := range form.FindAllStringSubmatch(content(t, http.MethodGet, origin+path, nil), -1) {
		values := url.Values{}
		for _, named := range field.FindAllStringSubmatch(found[0], -1) {
			name, value := named[1], html.UnescapeString(named[2])
			switch {
			case name == "preview" || name == "choose" || name == "dry" || values.Has(name):
				continue
			case value == "":
				value = map[string]string{
					"reason": "a test", "name": "made", "role": "viewer", "text": `{"steps":[{"name":"a","command":"b.c"}]}`, "data": `{"x":1}`,
					"step": "do", "to": "do", "patch": `{"x":1}`, "url": "http://127.0.0.1:9/", // where no receiver listens
				}[name]
			}
			values.Set(name, value)
		}
		content(t, http.MethodPost, origin+html.UnescapeString(found[1]), values)
	}
}

// content sends a form, or reads a view, and returns the answer.
func content(t *testing.T, method, address string, values url.Values) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(values.Encode()))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err, address)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err, address)
	return string(text)
}

// Every operation of the API that changes something can be reached from the page, and from the command line. Both lists come from
// the calls that the page and the program really send.
func TestThePageAndTheCommandLineDoWhatTheAPICanDo(t *testing.T) {
	t.Parallel()
	o := openToChange(t)
	var all []string
	for name := range o.patterns {
		all = append(all, name)
	}
	slices.Sort(all)

	byPage := o.recorder(t)
	site := httptest.NewServer(ui.New(ui.Config{API: byPage}))
	defer site.Close()
	views := []string{
		"/ui/register", "/ui/definitions/order", "/ui/definitions/order/start", "/ui/queues/work", "/ui/keys", "/ui/keys/" + o.key, "/ui/webhooks",
		"/ui/webhooks/made", "/ui/bulk/" + o.bulk,
		"/ui/bulk/new?definition=order&action=pause", "/ui/bulk/new?on=dead_letters&queue=work",
	}
	for _, name := range all {
		if found := action.FindStringSubmatch(name); found != nil {
			views = append(views, "/ui/sagas/"+o.saga+"/act/"+found[1])
		}
	}
	views = append(views, "/ui/sagas/"+o.saga+"/act/patch_data", "/ui/sagas/"+o.saga+"/signals/approved")
	for _, path := range views {
		submit(t, site.URL, path)
	}
	// A finished bulk action and a dead letter that is not there have no forms: their addresses are called as the forms would.
	for _, path := range []string{
		"/ui/bulk/" + o.bulk + "/continue", "/ui/bulk/" + o.bulk + "/cancel",
		"/ui/dead-letters/" + o.letter + "/redrive", "/ui/dead-letters/" + o.letter + "/discard",
	} {
		content(t, http.MethodPost, site.URL+path, url.Values{"reason": {"a test"}})
	}
	assert.Equal(t, all, byPage.operations(), "what the page can do")

	byCommands := o.recorder(t)
	proxy := httptest.NewServer(byCommands)
	defer proxy.Close()
	program := filepath.Join(programs(t), "orchestrator")
	for _, words := range o.commandLines(all) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		command := exec.CommandContext(ctx, program, append(words, "--server", proxy.URL)...)
		command.Env = append(os.Environ(), "DATABASE_URL=") // with a database, keys are created in it and not by the API
		command.Stdin = strings.NewReader(`{"steps":[{"name":"a","command":"b.c"}]}`)
		var said bytes.Buffer
		command.Stderr = &said
		err := command.Run()
		cancel()
		if err != nil {
			assert.Equal(t, 1, command.ProcessState.ExitCode(), "%v is not a command line: %s", words, said.String())
		}
	}
	assert.Equal(t, all, byCommands.operations(), "what the command line can do")
}

// commandLines returns a line for every operation. Some are refused by the API, which has seen them then.
func (o orchestratorToChange) commandLines(all []string) [][]string {
	lines := [][]string{
		{"definitions", "put", "order2", "-"},
		{"definitions", "disable", "order2"},
		{"sagas", "start", "order"},
		{"sagas", "patch-data", o.saga, `{"x":2}`, "--reason", "a test"},
		{"sagas", "signal", o.saga, "approved", "--with-output", `{"by":"ann"}`},
		{"queues", "set", "work", "--max-out", "3"},
		{"sagas", "pause", "--filter", "definition=order", "--reason", "a test"},
		{"actions", "continue", o.bulk},
		{"actions", "cancel", o.bulk},
		{"dead-letters", "redrive", o.letter},
		{"dead-letters", "discard", o.letter},
		{"dead-letters", "discard", "--filter", "queue=work", "--reason", "a test"},
		{"keys", "create", "--role", "viewer", "--name", "made"},
		{"keys", "rotate", o.key, "--grace", "1h"},
		{"keys", "revoke", o.key},
		{"webhooks", "put", "pager", "--url", "https://example.com/", "--events", "saga.stuck"},
		{"webhooks", "test", "none"},
		{"webhooks", "delete", "pager"},
	}
	for _, name := range all {
		if found := action.FindStringSubmatch(name); found != nil {
			line := []string{"sagas", found[1], o.saga, "--reason", "a test"}
			switch found[1] {
			case "skip":
				line = append(line, "--step", "do")
			case "rewind":
				line = append(line, "--to", "do")
			}
			lines = append(lines, line)
		}
	}
	return lines
}
