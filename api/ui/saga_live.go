package ui

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

const (
	liveWait = "10s"
	// liveAllowance bounds the time to write an event, and one wait.
	liveAllowance = 25 * time.Second
	// livePause keeps a saga that changes many times a second from flooding the browser.
	livePause = 250 * time.Millisecond
)

// sagaLive sends the view of a saga at each change, as server-sent events, until the saga has ended.
func (p *page) sagaLive(w http.ResponseWriter, r *http.Request, who *viewer) error {
	id := r.PathValue("id")
	known := r.FormValue("since")
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		known = last
	}
	if _, err := strconv.ParseInt(known, 10, 64); err != nil {
		known = "0"
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	on := true
	for on {
		known, on = p.liveEvent(w, r, who, id, known)
	}
	return nil
}

// liveEvent waits for a revision after the known one and sends it. on is false when the stream ends; a browser that still
// wants it connects again.
func (p *page) liveEvent(w http.ResponseWriter, r *http.Request, who *viewer, id, known string) (revision string, on bool) {
	controller := http.NewResponseController(w)
	_ = controller.SetReadDeadline(time.Now().Add(liveAllowance)) // a writer in a test has no deadlines
	_ = controller.SetWriteDeadline(time.Now().Add(liveAllowance))
	s, err := get[resource.Saga](p, r, url.Values{"wait": {liveWait}, "since": {known}}, "v1", "sagas", id)
	if err != nil || p.stopping(r) || p.Auth && p.sessions.key(r) == "" { // the session has ended
		return known, false
	}
	if strconv.FormatInt(s.Revision, 10) == known {
		_, err := fmt.Fprint(w, ": quiet\n\n")
		return known, err == nil && controller.Flush() == nil
	}
	view, err := p.readSaga(r, id)
	if err != nil {
		return known, false
	}
	content, err := p.fragment("saga", view, who)
	if err != nil {
		p.Logger.ErrorContext(r.Context(), "a template failed", "template", "saga", "error", err)
		return known, false
	}
	revision = strconv.FormatInt(view.Saga.Revision, 10)
	if writeEvent(w, revision, string(content)) != nil || controller.Flush() != nil {
		return revision, false
	}
	if view.Saga.Status.Terminal() {
		_, _ = fmt.Fprint(w, "event: end\ndata: the saga has ended\n\n") // an error means that the browser has left
		_ = controller.Flush()
		return revision, false
	}
	return revision, p.rest(r, livePause)
}

// stopping reports whether the browser has left or the process is about to end.
func (p *page) stopping(r *http.Request) bool {
	select {
	case <-r.Context().Done():
		return true
	case <-p.Stopping: // nil blocks
		return true
	default:
		return false
	}
}

// rest waits. It returns false if the stream must end.
func (p *page) rest(r *http.Request, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	case <-p.Stopping:
		return false
	}
}

// writeEvent writes one server-sent event with a page fragment.
func writeEvent(w http.ResponseWriter, id, content string) error {
	var event bytes.Buffer
	fmt.Fprintf(&event, "event: saga\nid: %s\n", id)
	for line := range strings.SplitSeq(strings.ReplaceAll(content, "\r", ""), "\n") {
		event.WriteString("data: " + line + "\n")
	}
	event.WriteString("\n")
	_, err := w.Write(event.Bytes())
	return err
}
