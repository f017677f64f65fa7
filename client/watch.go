package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// maxEvent bounds one line of an event stream: a saga with all its data.
const maxEvent = 8 << 20

// Watch yields the saga as it is, and again at each change until it is terminal. When the connection breaks it connects
// again; it yields an error, and ends, when that does not come off or ctx ends.
func (c *Client) Watch(ctx context.Context, id string) iter.Seq2[saga.Snapshot, error] {
	return func(yield func(saga.Snapshot, error) bool) {
		known := int64(0)
		for {
			seen, more, err := c.watchOnce(ctx, id, known, yield)
			switch {
			case !more:
				return
			case ctx.Err() != nil:
				yield(saga.Snapshot{}, ctx.Err())
				return
			case err != nil && seen == known:
				yield(saga.Snapshot{}, err)
				return
			}
			known = seen
			pause := time.NewTimer(c.config.Backoff)
			select {
			case <-pause.C:
			case <-ctx.Done():
				pause.Stop()
			}
		}
	}
}

// watchOnce follows one connection. It returns the last revision seen, and whether there is more to see.
func (c *Client) watchOnce(
	ctx context.Context, id string, known int64, yield func(saga.Snapshot, error) bool,
) (seen int64, more bool, err error) {
	request := call{method: http.MethodGet, path: join("v1", "sagas", id, "watch"), header: http.Header{}}
	if known > 0 {
		request.header.Set("Last-Event-ID", fmt.Sprint(known))
	}
	response, err := c.open(ctx, request)
	if err != nil {
		return known, true, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNoContent {
		return known, false, nil
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		text, isData := strings.CutPrefix(lines.Text(), "data: ")
		if !isData {
			continue
		}
		var shown saga.Snapshot
		if err := json.Unmarshal([]byte(text), &shown); err != nil {
			return known, true, fmt.Errorf("watch saga %s: %w", id, err)
		}
		known = shown.Revision
		c.config.Answered([]byte(text))
		if !yield(shown, nil) || shown.Status.Terminal() {
			return known, false, nil
		}
	}
	return known, true, lines.Err()
}
