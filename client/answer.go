package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// errForeign means that something else answered, such as a proxy or another service behind the same address. A status of
// success alone does not show that an orchestrator did what it was asked.
var errForeign = errors.New("the answer is not that of an orchestrator")

// answer is what a server answered to a successful call.
type answer struct {
	status  int
	from    *http.Request // the last one, after redirects
	content []byte
}

// foreign returns the error of an answer that does not come from an orchestrator.
func foreign(from *http.Request) error {
	asked := *from.URL
	asked.RawQuery = ""
	return fmt.Errorf("%s %s: %w", from.Method, asked.Redacted(), errForeign)
}

// do sends the call, repeats it where that is safe, and decodes the answer into a T.
func do[T any](ctx context.Context, c *Client, request call) (T, error) {
	var result T
	received, err := c.send(ctx, request)
	if err != nil {
		return result, err
	}
	if !hasMember(received.content, firstMember(reflect.TypeFor[T]())) {
		return result, foreign(received.from)
	}
	if err := json.Unmarshal(received.content, &result); err != nil {
		return result, fmt.Errorf("%s %s: decode the answer: %w", request.method, request.path, err)
	}
	c.config.Answered(received.content)
	return result, nil
}

// doWithout is do for a call that has no result: the orchestrator answers it with 204.
func (c *Client) doWithout(ctx context.Context, request call) error {
	received, err := c.send(ctx, request)
	if err == nil && received.status != http.StatusNoContent {
		err = foreign(received.from)
	}
	return err
}

// firstMember returns the name of the first member of a resource. It is the identity of the resource or its main content,
// which every version of the orchestrator sends.
func firstMember(resource reflect.Type) string {
	first := resource.Field(0)
	name, _, _ := strings.Cut(first.Tag.Get("json"), ",")
	if name == "" && first.Anonymous {
		return firstMember(first.Type)
	}
	return name
}

// hasMember reports whether text begins a JSON object that has the member. It reads no further than the member: the decoder
// of the result checks the rest.
func hasMember(text []byte, name string) bool {
	object := json.NewDecoder(bytes.NewReader(text))
	if start, err := object.Token(); err != nil || start != json.Delim('{') {
		return false
	}
	for object.More() {
		member, err := object.Token()
		if err != nil {
			return false
		}
		if member == name {
			return true
		}
		var value json.RawMessage
		if object.Decode(&value) != nil {
			return false
		}
	}
	return false
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
