package api

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/oklog/ulid/v2"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// writeAllowance bounds the time to write an answer.
const writeAllowance = 10 * time.Second

type requestIDKey struct{}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// identify gives every request an id, which the log repeats.
func (s *service) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if !identifier(id) {
			id = ulid.Make().String()
		}
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	})
}

// observe counts and logs the request once it is answered.
func (s *service) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		recorded := &statusRecorder{ResponseWriter: w, status: http.StatusOK, connection: connectionOf(r.Context())}
		defer func() {
			took := time.Since(started)
			pattern := chi.RouteContext(r.Context()).RoutePattern()
			s.observed.count(r.Method, pattern, recorded.status, took)
			s.Logger.LogAttrs(r.Context(), slog.LevelDebug, "request", slog.String("method", r.Method),
				slog.String("route", pattern), slog.Int("status", recorded.status), slog.Duration("duration", took),
				slog.Int("bytes", recorded.bytes), slog.String("request_id", requestID(r.Context())))
		}()
		next.ServeHTTP(recorded, r)
	})
}

// recoverPanics answers a panic with a problem that reveals no internals.
func (s *service) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			reason := recover()
			if reason == nil {
				return
			}
			if reason == http.ErrAbortHandler { //nolint:errorlint // net/http compares it the same way
				panic(reason)
			}
			recorded, ok := w.(*statusRecorder)
			if ok && recorded.lost(reason) {
				return // the caller has left, which is not a fault
			}
			s.Logger.ErrorContext(r.Context(), "panic while serving a request", "panic", reason,
				"stack", string(debug.Stack()), "request_id", requestID(r.Context()))
			if ok && recorded.begun {
				panic(http.ErrAbortHandler) // the answer has begun, so only closing the connection can show the failure
			}
			writeProblem(w, problem(resource.CodeInternal, "Internal error. See the server log for this request id."))
		}()
		next.ServeHTTP(w, r)
	})
}

// secureHeaders keeps browsers from interpreting an answer as anything but its content type.
func secureHeaders(next http.Handler) http.Handler {
	headers := map[string][]string{ // canonical names; the values are shared and never changed
		"X-Content-Type-Options":  {"nosniff"},
		"X-Frame-Options":         {"DENY"},
		"Referrer-Policy":         {"no-referrer"},
		"Content-Security-Policy": {"default-src 'none'; frame-ancestors 'none'"},
		"Cache-Control":           {"no-store"},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), headers)
		next.ServeHTTP(w, r)
	})
}

// refuseAmbiguity refuses repeated headers, which readers interpret differently, and empty conditions, which would
// otherwise be ignored.
func refuseAmbiguity(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Authorization", "Content-Type", "Content-Encoding", "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-Id"} {
			if len(r.Header.Values(name)) > 1 {
				writeProblem(w, problem(resource.CodeInvalidHeader, "The header "+name+" occurs more than once."))
				return
			}
		}
		for _, name := range []string{"Idempotency-Key", "If-Match", "If-None-Match"} {
			if values := r.Header.Values(name); len(values) == 1 && strings.TrimSpace(values[0]) == "" {
				writeProblem(w, problemOf(parameter(name, "must not be empty: omit it, or set a value")))
				return
			}
		}
		if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
			writeProblem(w, problem(resource.CodeInvalidParameter, "The query string is malformed."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *service) notFound(w http.ResponseWriter, _ *http.Request) {
	writeProblem(w, problem(resource.CodeNotFound, "This path does not exist. See /docs."))
}

// methodNotAllowed lists the methods of the path, as the answer to OPTIONS or to a method that the path does not have.
func (s *service) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{
		http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	} {
		if !s.router.Match(chi.NewRouteContext(), method, r.URL.Path) {
			continue
		}
		allowed = append(allowed, method)
		if method == http.MethodGet {
			allowed = append(allowed, http.MethodHead)
		}
	}
	w.Header().Set("Allow", strings.Join(append(allowed, http.MethodOptions), ", "))
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	writeProblem(w, problem(resource.CodeMethodNotAllowed, "This path does not support this method. See /docs."))
}

// statusRecorder records the status and the size of an answer.
type statusRecorder struct {
	http.ResponseWriter
	status     int
	bytes      int
	begun      bool
	failure    error       // of the last write; nil: none has failed
	onBegin    func()      // called once, when the answer begins; may be nil
	connection *connection // nil: the listener has no limit
}

// lost reports whether a panic is only about an answer that could not be written: huma panics with the error of the write. The
// two errors that are left out mean that the program wrote what it must not.
func (r *statusRecorder) lost(reason any) bool {
	failure, isError := reason.(error)
	return isError && r.failure != nil && errors.Is(failure, r.failure) &&
		!errors.Is(failure, http.ErrBodyNotAllowed) && !errors.Is(failure, http.ErrContentLength)
}

// begin runs before the first byte of the answer.
func (r *statusRecorder) begin(status int) {
	r.status, r.begun = status, true
	r.connection.enter(phaseSending)
	if r.onBegin != nil {
		r.onBegin()
	}
	if status == http.StatusServiceUnavailable && r.Header().Get("Retry-After") == "" {
		r.Header().Set("Retry-After", "1")
	}
}

// WriteHeader records the status.
func (r *statusRecorder) WriteHeader(status int) {
	if !r.begun {
		r.begin(status)
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes.
func (r *statusRecorder) Write(content []byte) (int, error) {
	if !r.begun {
		r.begin(http.StatusOK)
	}
	written, err := r.ResponseWriter.Write(content)
	r.bytes += written
	if err != nil {
		r.failure = err
	}
	return written, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
