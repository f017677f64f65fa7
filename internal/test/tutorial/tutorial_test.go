package tutorial

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/client"
)

const root = "../../.."

const module = "github.com/saga-orchestrator/orchestrator"

// block returns the first block of Go code after a heading.
func block(t *testing.T, page, heading string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, page))
	require.NoError(t, err)
	_, after, found := strings.Cut(string(content), heading)
	require.True(t, found, "%s has no heading %s", page, heading)
	_, after, found = strings.Cut(after, "```go\n")
	require.True(t, found)
	code, _, found := strings.Cut(after, "```\n")
	require.True(t, found)
	return code
}

func TestTheReadmeShowsTheExample(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile(filepath.Join(root, "examples/order-saga/order.go"))
	require.NoError(t, err)
	assert.Equal(t, string(example), block(t, "README.md", "## A saga in Go"))
	assert.LessOrEqual(t, strings.Count(string(example), "\n"), 40)
}

// files writes the files of the tutorial into an empty folder, with the dependencies of this module.
func files(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	here, err := filepath.Abs(root)
	require.NoError(t, err)
	code := block(t, "docs/tutorial.md", "## 2. The saga")
	changed := strings.Replace(code, `Auth: "none"`, `Auth: "none", Listen: "127.0.0.1:0"`, 1)
	require.NotEqual(t, code, changed)
	dependencies, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	mod := strings.Replace(string(dependencies), "module "+module, "module tickets", 1) +
		"\nrequire " + module + " v0.0.0\n\nreplace " + module + " => " + here + "\n"
	for name, content := range map[string]string{
		"main.go": changed, "main_test.go": block(t, "docs/tutorial.md", "## 6. Test it"), "go.mod": mod, "go.sum": string(sums),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600))
	}
	return folder
}

// program builds the program of the tutorial.
func program(t *testing.T) string {
	t.Helper()
	folder := files(t)
	build := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "-o", "tickets", ".")
	build.Dir = folder
	said, err := build.CombinedOutput()
	require.NoError(t, err, "%s", said)
	return filepath.Join(folder, "tickets")
}

// until reads lines until one has the text, and returns what follows it.
func until(t *testing.T, lines *bufio.Scanner, text string) string {
	t.Helper()
	for lines.Scan() {
		if _, after, found := strings.Cut(lines.Text(), text); found {
			return after
		}
	}
	t.Fatalf("the program ended without %q: %v", text, lines.Err())
	return ""
}

// The program does what the tutorial says: one saga completes after its approval, the other is compensated.
func TestTheTutorialDoesWhatItSays(t *testing.T) {
	t.Parallel()
	run := exec.CommandContext(t.Context(), program(t))
	out, err := run.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, run.Start())
	t.Cleanup(func() { _ = run.Process.Kill(); _ = run.Wait() })
	lines := bufio.NewScanner(out)
	c := client.New(client.Config{Server: until(t, lines, "the page is at ")})
	ada, bo := until(t, lines, "started "), until(t, lines, "started ")
	signal := client.SignalOptions{Output: json.RawMessage(`{"by":"Grace"}`)}
	_, err = c.Signal(t.Context(), ada, "approve", signal)
	require.NoError(t, err)
	assert.Equal(t, "120 approved by Grace", until(t, lines, "charged "))
	assert.Equal(t, "Ada", until(t, lines, "mailed the ticket to "))
	_, err = c.Signal(t.Context(), bo, "approve", signal)
	require.NoError(t, err)
	assert.Equal(t, "12A", until(t, lines, "released seat "))
}

func TestTheTestsOfTheTutorialPass(t *testing.T) {
	t.Parallel()
	run := exec.CommandContext(t.Context(), "go", "test", "-mod=mod", "-v", ".")
	run.Dir = files(t)
	said, err := run.CombinedOutput()
	require.NoError(t, err, "%s", said)
	assert.Equal(t, 2, strings.Count(string(said), "--- PASS: Test"), "%s", said)
}
