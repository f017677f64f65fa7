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
	"strconv"
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

// do sends the call, repeats it where that is safe, and decodes the answer into a T.
func do[T any](ctx context.Context, c *Client, request call) (T, error) {
	var answer T
	content, err := c.send(ctx, request)
	if err != nil || len(content) == 0 {
		return answer, err
	}
	if err := json.Unmarshal(content, &answer); err != nil {
		return answer, fmt.Errorf("%s %s: decode the answer: %w", request.method, request.path, err)
	}
	c.config.Answered(content)
	return answer, nil
}

// send sends the call until it has an answer, or until repeating it is unsafe or pointless.
func (c *Client) send(ctx context.Context, request call) ([]byte, error) {
	pause := c.config.Backoff
	for attempt := 1; ; attempt++ {
		content, err := c.sendOnce(ctx, request)
		problem, _ := errors.AsType[*Problem](err)
		notBegun := problem != nil && problem.Code == resource.CodeBusy
		if err == nil || !request.repeatable && !notBegun || attempt >= c.config.Attempts || !transient(err) {
			return content, err
		}
		if problem != nil {
			pause = max(pause, min(problem.RetryAfter, maxRetryAfter))
		}
		if !wait.For(ctx, pause) {
			return nil, err
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

func (c *Client) sendOnce(ctx context.Context, request call) ([]byte, error) {
	response, err := c.open(ctx, request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, &url.Error{Op: request.method, URL: request.path, Err: err}
	}
	return content, nil
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

// problemOf returns the problem document of a response. If a proxy answered instead of the orchestrator, there is none,
// and the status becomes the problem.
func problemOf(response *http.Response) error {
	problem := &Problem{}
	content, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil || json.Unmarshal(content, problem) != nil || problem.Code == "" {
		problem = &Problem{
			Code: "http_" + fmt.Sprint(response.StatusCode), Title: http.StatusText(response.StatusCode),
			Detail: "the server answered " + response.Status + " without a problem document",
		}
	}
	problem.Status = response.StatusCode
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 && seconds <= 3600 {
		problem.RetryAfter = time.Duration(seconds) * time.Second
	}
	return problem
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
