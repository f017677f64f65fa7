package e2e

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env/authority"
)

// A server whose every connection is TLS with a private authority, whose secrets come from files, and whose callers present
// certificates.
func TestEverythingByTLSWithSecretsFromFiles(t *testing.T) {
	t.Parallel()
	fx := newFixture(t)
	a := authority.New(t)
	cert, key := a.Pair()
	folder := t.TempDir()
	secret := func(name, content string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(content+"\n"), 0o600))
		return path
	}
	database, err := url.Parse(fx.databaseURL)
	require.NoError(t, err)
	database.Host = a.FrontPostgres(database.Host)
	database.RawQuery = url.Values{"sslmode": {"verify-full"}, "sslrootcert": {a.File}}.Encode()
	broker, err := url.Parse(fx.amqpURL())
	require.NoError(t, err)
	broker.Scheme, broker.Host = "amqps", a.Front(broker.Host, true)
	broker.RawQuery = url.Values{"cacertfile": {a.File}, "certfile": {cert}, "keyfile": {key}}.Encode()
	address := freeAddress(t)
	program := filepath.Join(fx.programs, "orchestrator")
	serving := start(t, []string{"DATABASE_URL=", "AMQP_URL=", "AMQP_PREFIX=" + fx.prefix}, program, "serve", "--migrate", "--listen", address,
		"--database-url-file", secret("database", database.String()), "--amqp-url-file", secret("broker", broker.String()),
		"--session-key-file", secret("session", strings.Repeat("k", 32)), "--log-format", "json",
		"--tls-cert", cert, "--tls-key", key, "--tls-client-ca", a.File)
	call := func(arguments ...string) (string, error) {
		command := exec.Command(program, arguments...)
		command.Env = append(os.Environ(), "DATABASE_URL=", "ORCHESTRATOR_URL=https://"+address)
		output, err := command.CombinedOutput()
		return string(output), err
	}
	trusted := []string{"--ca-file", a.File, "--client-cert", cert, "--client-key", key}
	created := exec.Command(program, "keys", "create", "--role", "admin", "--name", "test", "--database-url", fx.databaseURL)
	require.Eventually(t, func() bool { // the schema is there
		output, err := created.Output()
		if err != nil {
			created = exec.Command(program, created.Args[1:]...)
			return false
		}
		trusted = append(trusted, "--key-file", secret("key", string(output)))
		return true
	}, settled, 100*time.Millisecond)
	var output string
	require.Eventually(t, func() bool {
		output, err = call(append([]string{"definitions", "put", "order", secret("order.json", `{"steps":[{"name":"a","command":"work.a"}]}`)}, trusted...)...)
		return err == nil
	}, settled, 200*time.Millisecond, "%s", output)
	output, err = call("sagas", "list", "--ca-file", a.File)
	require.Error(t, err, "without a certificate: %s", output)
	output, err = call("sagas", "list")
	require.Error(t, err, "an authority that the system does not know: %s", output)

	require.NoError(t, serving.command.Process.Signal(syscall.SIGHUP))
	require.Eventually(t, func() bool { return strings.Contains(serving.output.String(), `"log_level":"DEBUG"`) }, settled, 10*time.Millisecond)
	require.Less(t, serving.stop(), 10*time.Second)
	assert.NotContains(t, serving.output.String(), strings.Repeat("k", 32))
}
