package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	unitFile = "../../../deploy/systemd/orchestrator.service"
	// shutdown is how long the orchestrator may take to end after SIGTERM.
	shutdown = 10 * time.Second
)

// unit returns the text of the unit and its settings; a key may occur several times.
func unit(t *testing.T) (text string, settings map[string][]string) {
	t.Helper()
	content, err := os.ReadFile(unitFile)
	require.NoError(t, err)
	settings = map[string][]string{}
	for line := range strings.Lines(string(content)) {
		key, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if found && !strings.HasPrefix(key, "#") {
			settings[key] = append(settings[key], value)
		}
	}
	return string(content), settings
}

func TestTheUnitIsHardened(t *testing.T) {
	t.Parallel()
	_, settings := unit(t)
	for key, want := range map[string]string{
		"DynamicUser": "yes", "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "ProtectSystem": "strict", "ProtectHome": "yes",
		"PrivateTmp": "yes", "PrivateDevices": "yes", "MemoryDenyWriteExecute": "yes", "RestrictNamespaces": "yes",
		"SystemCallArchitectures": "native", "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
	} {
		assert.Equal(t, []string{want}, settings[key], key)
	}
	require.Len(t, settings["TimeoutStopSec"], 1)
	stop, err := time.ParseDuration(settings["TimeoutStopSec"][0] + "s")
	require.NoError(t, err)
	assert.Greater(t, stop, shutdown, "systemd must not kill it while it shuts down")
}

func TestSecretsOfTheUnitAreCredentials(t *testing.T) {
	t.Parallel()
	_, settings := unit(t)
	var loaded, read []string
	for _, credential := range settings["LoadCredential"] {
		name, _, _ := strings.Cut(credential, ":")
		loaded = append(loaded, name)
	}
	require.Len(t, settings["ExecStart"], 1)
	for _, file := range regexp.MustCompile(`-file=%d/(\S+)`).FindAllStringSubmatch(settings["ExecStart"][0], -1) {
		read = append(read, file[1])
	}
	assert.ElementsMatch(t, []string{"database-url", "amqp-url", "session-key"}, read)
	assert.ElementsMatch(t, loaded, read)
	assert.Empty(t, settings["Environment"])
}

func TestEveryFlagOfTheUnitExists(t *testing.T) {
	t.Parallel()
	_, settings := unit(t)
	help, err := exec.CommandContext(t.Context(), "go", "run", "../../../cmd/orchestrator", "serve", "--help").CombinedOutput()
	require.NoError(t, err, string(help))
	known := regexp.MustCompile(`--[a-z-]+`).FindAllString(string(help), -1)
	flags := regexp.MustCompile(`--[a-z-]+`).FindAllString(settings["ExecStart"][0], -1)
	require.NotEmpty(t, flags)
	assert.Subset(t, known, flags)
}

// systemd reads the unit where it is installed. It wants the program to exist, so that of this test takes its place.
func TestSystemdAcceptsTheUnit(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	require.NoError(t, err, "systemd-analyze is not installed: run `make test`, or apt install systemd")
	text, _ := unit(t)
	program, err := os.Executable()
	require.NoError(t, err)
	copied := filepath.Join(t.TempDir(), "orchestrator.service")
	text = strings.ReplaceAll(text, "/usr/local/bin/orchestrator", program)
	require.NoError(t, os.WriteFile(copied, []byte(text), 0o600))
	out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", copied).CombinedOutput()
	require.NoError(t, err, string(out))
	assert.NotContains(t, string(out), copied, "systemd has a remark about the unit")
}
