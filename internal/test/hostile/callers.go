package hostile

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Callers configures hostile callers of a server.
type Callers struct {
	Address    string // host:port
	Definition string // definition of the sagas to start; it need not exist
	SagaID     string // saga of actions and reads; it need not exist
	Seed       uint64
	AtOnce     int
}

// Report is the result of a run.
type Report struct {
	Sent    int
	Answers map[int]int // number of answers by status, without interrupted ones
	Faults  []string    // answers that report an internal error, with the request
}

// Run sends every request at least once, and repeats them until ctx ends. It closes every connection before it returns.
func (c Callers) Run(ctx context.Context) Report {
	report := Report{Answers: make(map[int]int)}
	var mutex sync.Mutex
	work := c.requests()
	jobs := make(chan job)
	var callers sync.WaitGroup
	for range max(c.AtOnce, 1) {
		callers.Go(func() {
			for j := range jobs {
				statuses := j.run(c.Address)
				mutex.Lock()
				report.add(j, statuses)
				mutex.Unlock()
			}
		})
	}
	for round := 0; round == 0 || ctx.Err() == nil; round++ {
		random := rand.New(rand.NewPCG(c.Seed, uint64(round)))
		random.Shuffle(len(work), func(i, k int) { work[i], work[k] = work[k], work[i] })
		for _, j := range work {
			if round > 0 && ctx.Err() != nil {
				break
			}
			j.random = rand.New(rand.NewPCG(random.Uint64(), c.Seed))
			jobs <- j
		}
	}
	close(jobs)
	callers.Wait()
	return report
}

func (r *Report) add(j job, statuses []int) {
	r.Sent++
	for _, status := range statuses {
		r.Answers[status]++
		if status >= http.StatusInternalServerError && status != http.StatusServiceUnavailable && !j.maySay(status) && len(r.Faults) < 20 {
			r.Faults = append(r.Faults, fmt.Sprintf("%d to %.200q", status, j.bytes))
		}
	}
}

// maySay reports whether a status is a correct answer to a request for an optional feature of HTTP/1.1: a version or an
// encoding.
func (j job) maySay(status int) bool {
	return status == http.StatusHTTPVersionNotSupported || status == http.StatusNotImplemented && bytes.Contains(j.bytes, []byte("Transfer-Encoding"))
}

// manner is a way to send a request.
type manner int

const (
	plainly  manner = iota
	slowly          // in small pieces, with pauses
	cutting         // the connection is closed in the middle of the request
	leaving         // the connection is closed in the middle of the answer
	ignoring        // the answer is not read for a while
	manners
)

type job struct {
	bytes  []byte
	manner manner
	random *rand.Rand
}

// requests returns the requests of a round: every malformed head, every body to several calls, and streams, each in some
// manner.
func (c Callers) requests() []job {
	var all []job
	random := rand.New(rand.NewPCG(c.Seed, 1))
	named := strings.NewReplacer("/ID", "/"+c.SagaID, `"NAME"`, `"`+c.Definition+`"`)
	add := func(text string, as manner) { all = append(all, job{bytes: []byte(named.Replace(text)), manner: as}) }
	for _, head := range heads() {
		add(head, plainly)
		add(head, manner(random.IntN(int(manners))))
	}
	for _, document := range documents() {
		for _, body := range bodies(document) {
			call := calls()[random.IntN(len(calls()))]
			add(request(call[0], call[1], named.Replace(body)), manner(random.IntN(int(manners))))
		}
	}
	for _, path := range []string{"/v1/sagas/ID/watch", "/v1/sagas?limit=500", "/metrics", "/openapi.json", "/v1/sagas/ID?wait=1s", "/v1/queues", "/readyz"} {
		for as := range manners {
			add("GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n", as)
		}
	}
	return all
}

func request(method, path, body string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", method, path, len(body), body)
}

// run sends the request over a new connection and returns the statuses of the answers that it read.
func (j job) run(address string) []int {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(3 * time.Second)) // a stream would not end
	if !j.send(conn) {
		return nil
	}
	switch j.manner {
	case leaving:
		_, _ = conn.Read(make([]byte, 1+j.random.IntN(64)))
		return nil
	case ignoring:
		pause(time.Duration(j.random.IntN(300)) * time.Millisecond)
	}
	return statuses(conn)
}

// send reports whether it sent the whole request.
func (j job) send(conn net.Conn) bool {
	rest := j.bytes
	if j.manner == cutting {
		rest = rest[:j.random.IntN(len(rest)+1)]
	}
	for j.manner == slowly && len(rest) > 0 && j.random.IntN(20) > 0 {
		piece := min(len(rest), 1+j.random.IntN(40))
		if _, err := conn.Write(rest[:piece]); err != nil {
			return false
		}
		rest = rest[piece:]
		pause(time.Duration(j.random.IntN(20)) * time.Millisecond)
	}
	_, err := conn.Write(rest)
	return err == nil && j.manner != cutting
}

func pause(wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	<-timer.C
}

// statuses returns the statuses of the answers, until the end or the first malformed one.
func statuses(conn net.Conn) []int {
	var found []int
	reader := bufio.NewReader(conn)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return found
		}
		if response.StatusCode != http.StatusContinue {
			found = append(found, response.StatusCode)
		}
		_, err = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if err != nil || response.Close {
			return found
		}
	}
}
