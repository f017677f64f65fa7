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

// caller starts sagas and waits for their ends, with one request each. It parses only the status in an answer, because on
// one machine the load takes CPU time from the system under test.
type caller struct {
	http    *http.Client
	metrics *http.Client // separate: the load may use every connection of http
	targets []string     // URLs to start sagas at, in turns
	key     string
	fails   func(n int) bool
	success start
	failure start
	buffers sync.Pool
}

// maxConnections is below a server's limit, to leave room for probes and metrics. Further sagas in flight wait for a
// connection, and their latency includes this wait.
const maxConnections = 960

// newCaller returns a caller with one connection per saga in flight, up to maxConnections.
func newCaller(servers []string, key string, inFlight int, scenario Scenario) (*caller, error) {
	succeeds, fails, err := scenario.starts()
	if err != nil {
		return nil, err
	}
	c := &caller{
		http: &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: min(inFlight, maxConnections), MaxConnsPerHost: maxConnections,
			DisableCompression: true, // and no proxy: both would distort the measurement
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

// one runs saga number n to its end. It returns an error if the saga does not end as expected.
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
	buffer := c.buffers.Get().(*bytes.Buffer) //nolint:forcetypeassert // the pool holds only buffers
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

// maxAnswer is larger than any saga's JSON.
const maxAnswer = 64 << 20

// statusOf returns the saga's status: the first member of that name, before those of the steps.
func statusOf(answer []byte) saga.Status {
	_, rest, found := bytes.Cut(answer, []byte(`"status":"`))
	if !found {
		return "in an unreadable state"
	}
	status, _, _ := bytes.Cut(rest, []byte(`"`))
	return saga.Status(status)
}

// beginning cuts an answer to the length of an error message.
func beginning(answer string) string {
	const enough = 400
	if len(answer) <= enough {
		return answer
	}
	return answer[:enough] + "…"
}
