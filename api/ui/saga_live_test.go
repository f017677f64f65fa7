package ui

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// A live view ends with the session under which it began.
func TestALiveViewEndsWithItsSession(t *testing.T) {
	t.Parallel()
	var hours, waits atomic.Int64
	now := func() time.Time { return second(0).Add(time.Duration(hours.Load()) * time.Hour) }
	quiet := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // a saga that does not change
		if strings.HasSuffix(r.URL.Path, "/keys/me") {
			_, _ = w.Write([]byte(`{"name":"ada","role":"operator"}`))
			return
		}
		waits.Add(1)
		hours.Add(5)
		_, _ = w.Write([]byte(`{"id":"x","revision":7,"status":"running"}`))
	})
	handler := New(Config{API: quiet, Auth: true, Now: now, SessionKey: "secret"})
	asked := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ui/sagas/x/live?since=7", nil)
	asked.AddCookie(newSessions("secret", "", now).cookie(asked, "key"))
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, asked)
	assert.Equal(t, http.StatusOK, answer.Code)
	assert.Equal(t, int64(3), waits.Load(), "a session has 12 hours")
	assert.Equal(t, 2, strings.Count(answer.Body.String(), ": quiet"))
}
