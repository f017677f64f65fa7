package ui

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Replicas with the same session key accept each other's sessions; others do not. A session ends after a time.
func TestSessionsAreSharedByTheirKey(t *testing.T) {
	t.Parallel()
	now := second(0)
	clock := func() time.Time { return now }
	first, second := newSessions("a key of the operator", "/saga", clock), newSessions("a key of the operator", "/saga", clock)
	other, random := newSessions("another key", "/saga", clock), newSessions("", "/saga", clock)
	request := httptest.NewRequest("GET", "/saga/ui/sagas", nil)
	cookie := first.cookie(request, "sk_secret")
	assert.Equal(t, "/saga/", cookie.Path)
	request.AddCookie(cookie)
	assert.Equal(t, "sk_secret", second.key(request))
	assert.Empty(t, other.key(request))
	assert.Empty(t, random.key(request))
	now = now.Add(maxSession - time.Second)
	assert.Equal(t, "sk_secret", second.key(request))
	now = now.Add(2 * time.Second)
	assert.Empty(t, second.key(request))
	assert.NotEqual(t, cookie.Value, first.cookie(request, "sk_secret").Value, "two sessions of a key differ")
	assert.Negative(t, first.cookie(request, "").MaxAge)
}
