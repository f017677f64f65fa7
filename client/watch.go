package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// maxEvent bounds one line of an event stream, which holds a saga with all its data.
const maxEvent = 8 << 20

// Watch yields the saga now and after each change, until the saga has ended. A slow reader may miss states in between, but
// never the latest one. When the connection breaks, Watch connects again; it yields an error and stops after
// Config.Attempts failures in a row, or when ctx ends.
func (c *Client) Watch(ctx context.Context, id string) iter.Seq2[resource.Saga, error] {
	return func(yield func(resource.Saga, error) bool) {
		known, failures, pause := int64(0), 0, c.config.Backoff
		for {
			stream, err := c.open(ctx, watchCall(id, known))
			if err == nil {
				failures, pause = 0, c.config.Backoff
				var more bool
				known, more, err = c.follow(stream, known, yield)
				if !more {
					return
				}
			} else {
				failures++
			}
			if err == nil || transient(err) && failures < c.config.Attempts {
				if err = nil; !wait.For(ctx, pause) {
					err = ctx.Err()
				}
				pause *= 2
			}
			if err != nil {
				yield(resource.Saga{}, err)
				return
			}
		}
	}
}

func watchCall(id string, known int64) call {
	request := call{method: http.MethodGet, path: join("v1", "sagas", id, "watch"), header: http.Header{}}
	if known > 0 {
		request.header.Set("Last-Event-ID", strconv.FormatInt(known, 10))
	}
	return request
}

// follow reads one connection to its end. It returns the last revision seen, and reports whether to connect again.
func (c *Client) follow(
	stream *http.Response, known int64, yield func(resource.Saga, error) bool,
) (seen int64, more bool, err error) {
	defer stream.Body.Close()
	if stream.StatusCode == http.StatusNoContent {
		return known, false, nil // the saga has ended, and the last connection yielded its end
	}
	lines := bufio.NewScanner(stream.Body)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		text, isData := strings.CutPrefix(lines.Text(), "data: ")
		if !isData {
			continue
		}
		var shown resource.Saga
		if err := json.Unmarshal([]byte(text), &shown); err != nil {
			return known, true, fmt.Errorf("watch: decode an event: %w", err)
		}
		known = shown.Revision
		c.config.Answered([]byte(text))
		if !yield(shown, nil) || shown.Status.Terminal() {
			return known, false, nil
		}
	}
	switch err := lines.Err(); {
	case err == nil, errors.Is(err, bufio.ErrTooLong): // the same event would be too long on the next connection
		return known, true, err
	default:
		return known, true, &url.Error{Op: "watch", URL: stream.Request.URL.Path, Err: err}
	}
}
