package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// programID stands for the id of a key in the audit log, in calls of the program itself.
const programID = "program"

// Client returns a client for the program itself. Its calls stay in the process, so they need neither a listener nor an API key,
// and they may do what an admin may. actor names the program in histories and in the audit log.
//
// As for Handler, calls wait up to two seconds for Run, and fail after it.
func (s *Server) Client(actor string) *client.Client {
	return client.New(client.Config{
		Server: "http://localhost" + s.config.BasePath,
		HTTP:   &http.Client{Transport: inside{handler: s.own, actor: actor}},
	})
}

// inside carries requests to a handler of the same process.
type inside struct {
	handler http.Handler
	actor   string
}

// RoundTrip implements http.RoundTripper. It returns when the answer begins.
func (i inside) RoundTrip(r *http.Request) (*http.Response, error) {
	// As over a network, the handler sees that its caller has left, and not the caller's deadline: to pass that would be a fault of
	// the handler, which it would log as one.
	ctx, cancel := context.WithCancel(context.WithoutCancel(api.WithIdentity(r.Context(), programID, i.actor, record.Admin)))
	left := context.AfterFunc(r.Context(), cancel)
	ctx = context.WithValue(ctx, http.LocalAddrContextKey, &net.UnixAddr{Name: "inside", Net: "unix"})
	asked := r.Clone(ctx)
	asked.RequestURI, asked.RemoteAddr = r.URL.RequestURI(), "inside"
	if asked.Host = r.Host; asked.Host == "" {
		asked.Host = r.URL.Host
	}
	if asked.Body == nil {
		asked.Body = http.NoBody
	}
	body, writer := io.Pipe()
	answer := &answer{header: make(http.Header), body: writer, begun: make(chan struct{})}
	go func() { // ends with the handler, whose context ends with the caller's and when the body is closed
		defer left()
		defer asked.Body.Close()
		defer func() {
			_ = recover() // the handler has logged it
			answer.WriteHeader(http.StatusInternalServerError)
			_ = writer.CloseWithError(errAborted)
		}()
		i.handler.ServeHTTP(answer, asked)
		answer.WriteHeader(http.StatusOK)
		_ = writer.Close() // never fails
	}()
	select {
	case <-answer.begun:
	case <-r.Context().Done():
		_ = bodyOf{body, cancel}.Close() // never fails
		return nil, r.Context().Err()
	}
	return &http.Response{
		Status: http.StatusText(answer.status), StatusCode: answer.status, Header: answer.sent, Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1, Body: bodyOf{body, cancel},
	}, nil
}

// errAborted is the end of an answer whose handler has panicked.
var errAborted = errors.New("the answer was aborted")

// bodyOf ends the request when its answer is closed.
type bodyOf struct {
	*io.PipeReader
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (b bodyOf) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}

// answer is the http.ResponseWriter of a request inside the process.
type answer struct {
	header http.Header
	body   *io.PipeWriter
	begun  chan struct{} // closed when status and sent are set
	once   sync.Once
	status int
	sent   http.Header
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter. Only the first call counts.
func (a *answer) WriteHeader(status int) {
	a.once.Do(func() {
		a.status, a.sent = status, a.header.Clone()
		close(a.begun)
	})
}

// Write implements http.ResponseWriter. It waits until the caller reads.
func (a *answer) Write(content []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(content)
}

// Flush implements http.Flusher: the caller has already read what was written.
func (a *answer) Flush() { a.WriteHeader(http.StatusOK) }
