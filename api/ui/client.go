package ui

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// request is a call of the API, in the name of the viewer.
type request struct {
	method string
	path   []string // segments, which are escaped
	query  url.Values
	body   any
	header http.Header
}

// answer collects the answer of the API.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(content []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(content)
}

// get reads something from the API.
func get[T any](p *page, r *http.Request, query url.Values, path ...string) (T, error) {
	return call[T](p, r, request{method: http.MethodGet, path: path, query: query})
}

// post sends a change to the API.
func post[T any](p *page, r *http.Request, body any, path ...string) (T, error) {
	return call[T](p, r, request{method: http.MethodPost, path: path, body: body})
}

// call sends a request to the API and decodes the answer. A refusal is a *resource.Problem.
func call[T any](p *page, r *http.Request, asked request) (T, error) {
	var value T
	made, err := p.apiRequest(r, asked)
	if err != nil {
		return value, err
	}
	got := &answer{header: make(http.Header)}
	if err := p.ask(got, made); err != nil {
		return value, err
	}
	if got.status >= http.StatusBadRequest {
		return value, problemIn(got)
	}
	if got.body.Len() == 0 {
		return value, nil
	}
	if err := json.Unmarshal(got.body.Bytes(), &value); err != nil {
		return value, refused(http.StatusBadGateway, "unexpected_answer", "The page cannot read the answer of the API.")
	}
	return value, nil
}

// ask lets the API answer. A panic ends the answer, as it would end a caller's connection: the reads of a page run beside each
// other, on goroutines where it would end the process. The API has logged its cause.
func (p *page) ask(got *answer, made *http.Request) (err error) {
	defer func() {
		if recover() != nil {
			err = refused(http.StatusBadGateway, "unexpected_answer", "The API ended its answer. See the server log.")
		}
	}()
	p.API.ServeHTTP(got, made)
	return nil
}

// apiRequest makes the request. It keeps the viewer's Host, because the API checks it where it does not ask for keys.
func (p *page) apiRequest(r *http.Request, asked request) (*http.Request, error) {
	content, err := encoded(asked.body)
	if err != nil {
		return nil, refused(http.StatusUnprocessableEntity, "invalid_body", "The input is not valid JSON.")
	}
	var segments strings.Builder
	for _, segment := range asked.path {
		segments.WriteString("/" + url.PathEscape(segment))
	}
	if len(asked.query) > 0 {
		segments.WriteString("?" + asked.query.Encode())
	}
	key, ctx := p.keyOf(r), r.Context()
	if session, is := strings.CutPrefix(key, signedIn); is && p.SignIn != nil {
		key = ""
		if as, ok := p.SignIn.As(ctx, session); ok {
			ctx = as
		}
	}
	made, err := http.NewRequestWithContext(ctx, asked.method, segments.String(), bytes.NewReader(content))
	if err != nil {
		return nil, refused(http.StatusNotFound, "not_found", "This address does not exist.")
	}
	made.Host, made.RemoteAddr, made.TLS = r.Host, r.RemoteAddr, r.TLS
	maps.Copy(made.Header, asked.header)
	if asked.body != nil {
		made.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		made.Header.Set("Authorization", "Bearer "+key)
	}
	return made, nil
}

func encoded(body any) ([]byte, error) {
	switch body := body.(type) {
	case nil:
		return nil, nil
	case json.RawMessage:
		return body, nil
	default:
		return json.Marshal(body)
	}
}

func problemIn(got *answer) error {
	var problem resource.Problem
	if json.Unmarshal(got.body.Bytes(), &problem) != nil || problem.Status == 0 {
		problem = *refused(got.status, "unexpected_answer", "The API refused without saying why.")
	}
	return &problem
}

// refused returns a problem of the page itself.
func refused(status int, code, detail string) *resource.Problem {
	return &resource.Problem{Status: status, Title: http.StatusText(status), Code: code, Detail: detail}
}
