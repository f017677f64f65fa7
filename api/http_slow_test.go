package api_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api"
)

func TestABodyThatArrivesTooSlowlyIsRefused(t *testing.T) {
	t.Parallel()
	o := start(t)
	config := api.NewServer("", api.New(api.Config{Engine: o.engine, Reads: o.store, Bulks: o.store, Broker: o.broker, Auth: api.AuthNone}), nil)
	toAnswer := config.WriteTimeout - config.ReadTimeout
	require.Greater(t, toAnswer, time.Second)
	config.ReadTimeout = 50 * time.Millisecond
	config.WriteTimeout = config.ReadTimeout + toAnswer
	impatient := httptest.NewUnstartedServer(nil)
	impatient.Config = config
	impatient.Start()
	defer impatient.Close()
	conn, err := net.Dial("tcp", impatient.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "PUT /v1/definitions/order HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
	require.NoError(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer answer.Body.Close()
	assert.Equal(t, http.StatusBadRequest, answer.StatusCode)
	content, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	assert.Contains(t, string(content), "invalid_body")
}

// deadlines records the deadlines, which a ResponseRecorder does not have.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error  { d.read = t; return nil }
func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = t; return nil }

func TestASlowStartCanStillBeAnswered(t *testing.T) {
	t.Parallel()
	o := start(t)
	handler := api.New(api.Config{Engine: o.engine, Reads: o.store, Bulks: o.store, Broker: o.broker, Auth: api.AuthNone})
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/sagas?wait=1m", strings.NewReader(`{`)))
	require.Equal(t, http.StatusUnsupportedMediaType, w.Code)
	assert.Greater(t, time.Until(w.read), time.Minute)
	assert.Greater(t, w.write.Sub(w.read), time.Second)
}
