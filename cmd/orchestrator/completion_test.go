package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// completed asks a real bash what may follow a line.
func completed(t *testing.T, words ...string) string {
	t.Helper()
	script := execute(t, "", "completion", "bash").out
	line := `COMP_WORDS=(orchestrator "$@"); COMP_CWORD=$#; _orchestrator; echo "${COMPREPLY[@]}"`
	shell := exec.Command("bash", append([]string{"-c", script + line, "bash"}, words...)...)
	output, err := shell.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return strings.TrimSpace(string(output))
}

func TestCompletionOffersCommandsAndFlags(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "sagas", completed(t, "sa"))
	assert.Contains(t, completed(t, "sagas", "re"), "retry")
	assert.Contains(t, completed(t, "sagas", "retry", "--dry"), "--dry-run")
	assert.Contains(t, completed(t, "sagas", "--server", "http://127.0.0.1:1", "re"), "resume")
	assert.NotContains(t, completed(t, "ben"), "bench-worker", "it is hidden")
	assert.Empty(t, completed(t, "sagas", "nothing-like-it"))
	assert.Contains(t, execute(t, "", "completion", "zsh").out, "bashcompinit")
	fish := execute(t, "", "completion", "fish").out
	assert.Contains(t, fish, "complete -c orchestrator -f -n '__fish_use_subcommand' -a sagas")
	assert.Contains(t, fish, "-n '__fish_seen_subcommand_from sagas; and __fish_seen_subcommand_from retry' -l dry-run")
	assert.Equal(t, exitUsage, execute(t, "", "completion", "tcsh").code)
}
