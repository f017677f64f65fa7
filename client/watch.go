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
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// maxEvent bounds one line of an event stream, which holds a saga with all its data.
const maxEvent = 8 << 20

// maxWatchBackoff bounds the pause between the attempts of a watch to connect again.
const maxWatchBackoff = 5 * time.Second

// Watch yields the saga now and after each change, until the saga has ended. A slow reader may miss states in between, but
// never the latest one. When the connection breaks, Watch connects again; it yields an error and stops after
// Config.Attempts failures in a row and after Config.Reconnect, or when ctx ends.
func (c *Client) Watch(ctx context.Context, id string) iter.Seq2[resource.Saga, error] {
	return func(yield func(resource.Saga, error) bool) {
		known, failures, pause := int64(0), 0, c.config.Backoff
		var connected time.Time // at the end of the last connection that brought something
		for {
			var heard bool
			stream, err := c.open(ctx, watchCall(id, known))
			if err == nil {
				var more bool
				known, heard, more, err = c.follow(stream, known, yield)
				if !more {
					return
				}
			}
			if heard {
				failures, pause, connected = 0, c.config.Backoff, time.Now()
			} else {
				failures++
			}
			if err == nil || transient(err) && failures < c.config.Attempts || passing(err) && time.Since(connected) < c.config.Reconnect {
				if err = nil; !wait.For(ctx, pause) {
					err = ctx.Err()
				}
				pause = min(2*pause, maxWatchBackoff)
			}
			if err != nil {
				yield(resource.Saga{}, err)
				return
			}
		}
	}
}

// passing reports whether an error may be that of a restart. A proxy in front of an orchestrator that restarts answers 502 or
// 504.
func passing(err error) bool {
	problem, answered := errors.AsType[*Problem](err)
	return transient(err) || answered && (problem.Status == http.StatusBadGateway || problem.Status == http.StatusGatewayTimeout)
}

func watchCall(id string, known int64) call {
	request := call{method: http.MethodGet, path: join("v1", "sagas", id, "watch"), header: http.Header{}}
	if known > 0 {
		request.header.Set("Last-Event-ID", strconv.FormatInt(known, 10))
	}
	return request
}

// follow reads one connection to its end. It returns the last revision seen, and reports whether the connection brought
// something and whether to connect again.
func (c *Client) follow(
	stream *http.Response, known int64, yield func(resource.Saga, error) bool,
) (seen int64, heard, more bool, err error) {
	defer stream.Body.Close()
	if stream.StatusCode == http.StatusNoContent && known > 0 {
		return known, true, false, nil // the saga has ended, and the last connection yielded its end
	}
	lines := bufio.NewScanner(stream.Body)
	lines.Buffer(nil, maxEvent)
	lines.Split(func(text []byte, _ bool) (int, []byte, error) { // a line without an end is one on which the connection broke
		return bufio.ScanLines(text, false)
	})
	for lines.Scan() {
		if !eventLine(lines.Text()) {
			return known, heard, true, foreign(stream.Request)
		}
		heard = true
		text, isData := strings.CutPrefix(lines.Text(), "data: ")
		if !isData {
			continue
		}
		var shown resource.Saga
		if err := json.Unmarshal([]byte(text), &shown); err != nil {
			return known, heard, true, fmt.Errorf("watch: decode an event: %w", err)
		}
		known = shown.Revision
		c.config.Answered([]byte(text))
		if !yield(shown, nil) || shown.Status.Terminal() {
			return known, heard, false, nil
		}
	}
	broken := func(err error) error { return &url.Error{Op: "watch", URL: stream.Request.URL.Path, Err: err} }
	switch err := lines.Err(); {
	case err == nil && !heard: // an orchestrator greets, unless it stops at this moment
		return known, heard, true, broken(errForeign)
	case err == nil, errors.Is(err, bufio.ErrTooLong): // the same event would be too long on the next connection
		return known, heard, true, err
	default:
		return known, heard, true, broken(err)
	}
}

// eventLine reports whether a line may stand in an event stream of an orchestrator.
func eventLine(line string) bool {
	name, _, _ := strings.Cut(line, ":") // empty: a comment, or the end of an event
	return slices.Contains([]string{"", "data", "event", "id", "retry"}, name)
}
