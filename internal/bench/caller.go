package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// caller starts sagas and waits for their ends, each with one request. It reads no more of an answer than it needs: on
// one machine, what the load spends is taken from what is measured.
type caller struct {
	http    *http.Client
	metrics *http.Client // beside the load, which may hold every connection that it is given
	targets []string     // URLs that sagas are started at, by turns
	key     string
	fails   func(n int) bool
	success start
	failure start
	buffers sync.Pool
}

// maxConnections is below what a server takes, so that one is left for those who look. Further sagas in flight wait for
// one of these connections; their time counts.
const maxConnections = 960

// newCaller makes a caller that holds as many connections as sagas may be in flight.
func newCaller(servers []string, key string, inFlight int, scenario Scenario) (*caller, error) {
	succeeds, fails, err := scenario.starts()
	if err != nil {
		return nil, err
	}
	c := &caller{
		http: &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: min(inFlight, maxConnections), MaxConnsPerHost: maxConnections,
			DisableCompression: true, // and no proxy: what is measured is the orchestrator
		}},
		metrics: &http.Client{Transport: &http.Transport{}},
		key:     key, fails: scenario.fails, success: succeeds, failure: fails,
		buffers: sync.Pool{New: func() any { return new(bytes.Buffer) }},
	}
	for _, server := range servers {
		c.targets = append(c.targets, server+"/v1/sagas?wait=60s")
	}
	return c, nil
}

func (c *caller) close() {
	c.http.CloseIdleConnections()
	c.metrics.CloseIdleConnections()
}

// one runs saga number n to its end. Its error says how it ended instead.
func (c *caller) one(ctx context.Context, n int) error {
	wanted := c.success
	if c.fails(n) {
		wanted = c.failure
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.targets[n%len(c.targets)], bytes.NewReader(wanted.body))
	if err != nil {
		return fmt.Errorf("start a saga: %w", err)
	}
	request.Header["Content-Type"] = []string{"application/json"}
	if c.key != "" {
		request.Header["Authorization"] = []string{"Bearer " + c.key}
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("start a saga: %w", err)
	}
	defer response.Body.Close()
	buffer := c.buffers.Get().(*bytes.Buffer) //nolint:forcetypeassert // the pool holds nothing else
	defer c.buffers.Put(buffer)
	buffer.Reset()
	if _, err := io.Copy(buffer, io.LimitReader(response.Body, maxAnswer)); err != nil {
		return fmt.Errorf("read a saga: %w", err)
	}
	if response.StatusCode != http.StatusCreated {
		return fmt.Errorf("start a saga: %s: %s", response.Status, strings.TrimSpace(beginning(buffer.String())))
	}
	if ended := statusOf(buffer.Bytes()); ended != wanted.end {
		return fmt.Errorf("a saga is %s instead of %s: %s", ended, wanted.end, beginning(buffer.String()))
	}
	return nil
}

// maxAnswer is more than a saga can have.
const maxAnswer = 64 << 20

// statusOf finds the saga's status, which stands before everything that has members of the same name.
func statusOf(answer []byte) saga.Status {
	_, rest, found := bytes.Cut(answer, []byte(`"status":"`))
	if !found {
		return "in a state that cannot be read"
	}
	status, _, _ := bytes.Cut(rest, []byte(`"`))
	return saga.Status(status)
}

// beginning is as much of an answer as a person wants to see.
func beginning(answer string) string {
	const enough = 400
	if len(answer) <= enough {
		return answer
	}
	return answer[:enough] + "…"
}
