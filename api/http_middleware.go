package api

import (
	"context"
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

// writeAllowance is how long writing an answer may take, once there is one.
const writeAllowance = 10 * time.Second

type requestIDKey struct{}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// identify gives every request an id, under which the log has it.
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

// recoverPanics answers a defect like every other: with a problem that tells nothing of the inside.
func (s *service) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			reason := recover()
			if reason == nil {
				return
			}
			if reason == http.ErrAbortHandler { //nolint:errorlint // the server compares it so
				panic(reason)
			}
			s.Logger.ErrorContext(r.Context(), "panic while serving a request", "panic", reason,
				"stack", string(debug.Stack()), "request_id", requestID(r.Context()))
			if recorded, ok := w.(*statusRecorder); ok && recorded.begun {
				panic(http.ErrAbortHandler) // half an answer is out: only closing the connection tells that it is wrong
			}
			writeProblem(w, problem(resource.CodeInternal, "Something is wrong inside. The log tells more, under the request id."))
		}()
		next.ServeHTTP(w, r)
	})
}

// secureHeaders tells browsers to make nothing of an answer but what it says it is.
func secureHeaders(next http.Handler) http.Handler {
	headers := map[string][]string{ // under their canonical names; nobody adds to the values
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

// refuseAmbiguity refuses requests that two readers could take for two things, and conditions that are given and empty:
// what was meant to protect a call must not vanish.
func refuseAmbiguity(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Authorization", "Content-Type", "Content-Encoding", "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-Id"} {
			if len(r.Header.Values(name)) > 1 {
				writeProblem(w, problem(resource.CodeInvalidHeader, "The header "+name+" stands more than once."))
				return
			}
		}
		for _, name := range []string{"Idempotency-Key", "If-Match", "If-None-Match"} {
			if values := r.Header.Values(name); len(values) == 1 && strings.TrimSpace(values[0]) == "" {
				writeProblem(w, problemOf(parameter(name, "must not be empty: leave it out, or give a value")))
				return
			}
		}
		if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
			writeProblem(w, problem(resource.CodeInvalidParameter, "The query cannot be read."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *service) notFound(w http.ResponseWriter, _ *http.Request) {
	writeProblem(w, problem(resource.CodeNotFound, "There is nothing at this path. See /docs."))
}

// methodNotAllowed answers a method that the path does not take, and OPTIONS, with those that it takes. HEAD is taken
// wherever GET is.
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
	writeProblem(w, problem(resource.CodeMethodNotAllowed, "This path does not take this method. See /docs."))
}

// statusRecorder remembers what was answered.
type statusRecorder struct {
	http.ResponseWriter
	status     int
	bytes      int
	begun      bool
	onBegin    func()      // called once, when the answer begins; may be nil
	connection *connection // nil: none that is limited
}

// begin is called before anything of the answer is written.
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

// WriteHeader remembers the status.
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
	return written, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
