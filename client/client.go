package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// Problem is an error that the API answered. Use errors.AsType to get it.
type Problem = resource.Problem

// Config configures a Client. The zero value calls an orchestrator on this machine without a key.
type Config struct {
	Server string       // base URL; default: http://127.0.0.1:8080
	Key    string       // API key; empty: none
	HTTP   *http.Client // default: http.DefaultClient
	// Attempts is the number of times that a repeatable call is sent before it fails. Default: 3.
	Attempts int
	// Backoff is the pause before the second attempt; it doubles with each further one. Default: 100 ms.
	Backoff time.Duration
	// Reconnect is how long a watch that was connected tries to connect again, also if a proxy answers 502 or 504. Default: it
	// tries Attempts times.
	Reconnect time.Duration
	// Answered, if non-nil, is called with the JSON of each successful answer and of each event of a watch. It includes
	// members that this version of the client does not know.
	Answered func(content []byte)
}

// Client calls one orchestrator. It is safe for concurrent use.
type Client struct{ config Config }

// New returns a client. It does not connect yet.
func New(config Config) *Client {
	if config.Server == "" {
		config.Server = "http://127.0.0.1:8080"
	}
	config.Server = strings.TrimSuffix(config.Server, "/")
	if config.HTTP == nil {
		config.HTTP = http.DefaultClient
	}
	if config.Attempts <= 0 {
		config.Attempts = 3
	}
	if config.Backoff <= 0 {
		config.Backoff = 100 * time.Millisecond
	}
	if config.Answered == nil {
		config.Answered = func([]byte) {}
	}
	return &Client{config: config}
}

// call is one request.
type call struct {
	method     string
	path       string
	query      url.Values
	header     http.Header
	body       []byte // nil: none
	mediaType  string // of the body; empty: application/json
	repeatable bool   // sending it twice is safe
	answer     int    // a further status that counts as success; 0: none
}

// maxRetryAfter caps the pause that a server asks for with Retry-After.
const maxRetryAfter = 10 * time.Second

// maxAnswer bounds the size of an answer.
const maxAnswer = 64 << 20

// send sends the call until it has an answer, or until repeating it is unsafe or pointless.
func (c *Client) send(ctx context.Context, request call) (answer, error) {
	pause := c.config.Backoff
	for attempt := 1; ; attempt++ {
		received, err := c.sendOnce(ctx, request)
		problem, _ := errors.AsType[*Problem](err)
		notBegun := problem != nil && problem.Code == resource.CodeBusy
		if err == nil || !request.repeatable && !notBegun || attempt >= c.config.Attempts || !transient(err) {
			return received, err
		}
		if problem != nil {
			pause = max(pause, min(problem.RetryAfter, maxRetryAfter))
		}
		if !wait.For(ctx, pause) {
			return answer{}, err
		}
		pause *= 2
	}
}

// transient reports whether the call may succeed when it is sent again.
func transient(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if problem, answered := errors.AsType[*Problem](err); answered {
		return problem.Status == http.StatusServiceUnavailable
	}
	_, failed := errors.AsType[*url.Error](err)
	return failed
}

func (c *Client) sendOnce(ctx context.Context, request call) (answer, error) {
	response, err := c.open(ctx, request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return answer{}, &url.Error{Op: request.method, URL: request.path, Err: err}
	}
	return answer{status: response.StatusCode, from: response.Request, content: content}, nil
}

// open sends the request and returns the response of a success. Any other response becomes an error.
func (c *Client) open(ctx context.Context, request call) (*http.Response, error) {
	target := c.config.Server + request.path
	if len(request.query) > 0 {
		target += "?" + request.query.Encode()
	}
	sent, err := http.NewRequestWithContext(ctx, request.method, target, bytes.NewReader(request.body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", request.method, request.path, err)
	}
	maps.Copy(sent.Header, request.header)
	if request.body != nil {
		sent.Header.Set("Content-Type", "application/json")
		if request.mediaType != "" {
			sent.Header.Set("Content-Type", request.mediaType)
		}
	}
	if c.config.Key != "" {
		sent.Header.Set("Authorization", "Bearer "+c.config.Key)
	}
	response, err := c.config.HTTP.Do(sent)
	if err != nil {
		return nil, err
	}
	success := response.StatusCode >= http.StatusOK && response.StatusCode < http.StatusMultipleChoices
	if success || response.StatusCode == request.answer {
		return response, nil
	}
	defer response.Body.Close()
	return nil, problemOf(response)
}

// encode returns the JSON of a request's body.
func encode(value any) ([]byte, error) {
	content, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	return content, nil
}

// join returns the path of the segments, each escaped.
func join(segments ...string) string {
	var path strings.Builder
	for _, segment := range segments {
		path.WriteString("/" + url.PathEscape(segment))
	}
	return path.String()
}
