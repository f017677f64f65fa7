package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env/servers"
)

// redis runs the commands of docs/protocol.md on a real server.
type redis struct {
	t        *testing.T
	conn     net.Conn
	answers  *bufio.Reader
	commands map[string][]string
}

func newRedis(t *testing.T) *redis {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	require.NoError(t, err, "this test needs the Debian package redis-server")
	port, err := servers.FreePort()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	server := exec.CommandContext(ctx, program, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		cancel()
		_ = server.Wait()
	})
	r := &redis{t: t, commands: protocolExamples(t)}
	require.Eventually(t, func() bool {
		r.conn, err = net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		return err == nil
	}, time.Minute, 20*time.Millisecond, "redis-server does not start")
	t.Cleanup(func() { _ = r.conn.Close() })
	r.answers = bufio.NewReader(r.conn)
	return r
}

// do runs the command with a subject on the page. Pairs are names and the values that they stand for.
func (r *redis) do(subject string, pairs ...string) string {
	r.t.Helper()
	require.Len(r.t, r.commands[subject], 1, subject)
	var words []string
	quoted := strings.Split(strings.TrimSpace(r.commands[subject][0]), `"`)
	for i, part := range quoted {
		if i%2 == 1 {
			words = append(words, part)
			continue
		}
		for word := range strings.FieldsSeq(part) {
			words = append(words, strings.NewReplacer(pairs...).Replace(word))
		}
	}
	return r.send(words...)
}

// send sends a command and returns its answer as text; nothing is "nil".
func (r *redis) send(words ...string) string {
	r.t.Helper()
	fmt.Fprintf(r.conn, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(r.conn, "$%d\r\n%s\r\n", len(word), word)
	}
	line, err := r.answers.ReadString('\n')
	require.NoError(r.t, err)
	line = strings.TrimSpace(line)
	require.NotEqual(r.t, byte('-'), line[0], line)
	if line[0] != '$' {
		return line[1:]
	}
	size, err := strconv.Atoi(line[1:])
	require.NoError(r.t, err)
	if size < 0 {
		return "nil"
	}
	content := make([]byte, size+2)
	_, err = io.ReadFull(r.answers, content)
	require.NoError(r.t, err)
	return string(content[:size])
}

func TestTheProtocolsRedisCommandsKeepRepliesAndRefuse(t *testing.T) {
	t.Parallel()
	const reply, execution, compensation = `{"status":"succeeded"}`, "s/charge/execute", "s/charge/compensate"
	r := newRedis(t)
	assert.Equal(t, "run", r.do("claim", "KEY", execution, "TOKEN", "t1"))
	assert.Equal(t, "t1", r.do("claim", "KEY", execution, "TOKEN", "t2"), "another delivery is at work")
	assert.Equal(t, "0", r.do("release", "KEY", execution, "TOKEN", "t2"), "only its owner releases a claim")
	assert.Equal(t, "1", r.do("release", "KEY", execution, "TOKEN", "t1"))
	assert.Equal(t, "run", r.do("claim", "KEY", execution, "TOKEN", "t3"), "the work had failed")
	assert.Equal(t, "t3", r.do("tombstone", "EXECUTION", execution), "a compensation waits for it")
	assert.Equal(t, "0", r.do("store", "KEY", execution, "TOKEN", "t1", "REPLY", reply), "the claim had expired")
	assert.Equal(t, "1", r.do("store", "KEY", execution, "TOKEN", "t3", "REPLY", reply))
	assert.Equal(t, "run", r.do("claim", "KEY", compensation, "TOKEN", "t4"))
	assert.JSONEq(t, reply, r.do("tombstone", "EXECUTION", execution))
	assert.Equal(t, "1", r.do("store", "KEY", compensation, "TOKEN", "t4", "REPLY", reply))
	assert.JSONEq(t, reply, r.do("claim", "KEY", compensation, "TOKEN", "t5"))
	assert.Equal(t, "refused", r.do("claim", "KEY", execution, "TOKEN", "t6"))

	assert.Equal(t, "run", r.do("claim", "KEY", "s/other/execute", "TOKEN", "t7"))
	ttl, err := strconv.Atoi(r.send("TTL", "saga:s/other/execute"))
	require.NoError(t, err)
	assert.Positive(t, ttl, "the claim of a worker that died expires")
	assert.Equal(t, "nil", r.do("tombstone", "EXECUTION", "s/third/execute"))
	assert.Equal(t, "refused", r.do("claim", "KEY", "s/third/execute", "TOKEN", "t8"), "a command after its compensation")
}
