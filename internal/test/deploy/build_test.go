package deploy_test

import (
	"crypto/sha256"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// run runs a program in a directory and returns its output.
func run(t *testing.T, dir string, argv ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	command.Dir = dir
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%v: %s", argv, out)
	return string(out)
}

const repository = "../../.."

// copied copies what is needed to build the program to a new directory.
func copied(t *testing.T, root string) string {
	t.Helper()
	folder := t.TempDir()
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") || name == "bin" {
			continue
		}
		run(t, root, "cp", "-R", name, filepath.Join(folder, name))
	}
	return folder
}

// Another build of a version has the bytes of the release: neither the place nor the time is in them.
func TestTheBuildRepeatsBitForBit(t *testing.T) {
	t.Parallel()
	var sums [][32]byte
	first := copied(t, repository)
	for _, folder := range []string{first, copied(t, first)} {
		run(t, folder, "make", "build", "VERSION=v0.0.0-test")
		content, err := os.ReadFile(filepath.Join(folder, "bin", "orchestrator"))
		require.NoError(t, err)
		assert.NotContains(t, string(content), folder)
		sums = append(sums, sha256.Sum256(content))
	}
	assert.Equal(t, sums[0], sums[1])
}

// Go records the modules of a program in it. The bill of materials has the same, each with its licence.
func TestTheBillOfMaterialsIsComplete(t *testing.T) {
	t.Parallel()
	folder := copied(t, repository)
	run(t, folder, "make", "sbom", "VERSION=v0.0.0-test")
	content, err := os.ReadFile(filepath.Join(folder, "bin", "orchestrator.cdx.json"))
	require.NoError(t, err)
	var bill struct {
		BOMFormat  string `json:"bomFormat"`
		Components []struct {
			Name, Version string
			Evidence      struct{ Licenses []any }
		}
	}
	require.NoError(t, json.Unmarshal(content, &bill))
	assert.Equal(t, "CycloneDX", bill.BOMFormat)
	listed := map[string]string{}
	for _, one := range bill.Components {
		listed[one.Name] = one.Version
		// The tool does not recognize two MIT notices in one file; the test of the licences does.
		if one.Name != "std" && one.Name != "github.com/pressly/goose/v3" {
			assert.NotEmpty(t, one.Evidence.Licenses, "the licence of %s", one.Name)
		}
	}
	needed := 0
	for line := range strings.Lines(run(t, folder, "go", "version", "-m", "bin/orchestrator")) {
		if fields := strings.Fields(line); len(fields) >= 3 && fields[0] == "dep" {
			needed++
			assert.Equal(t, fields[2], listed[fields[1]], fields[1])
		}
	}
	assert.Greater(t, needed, 10)
}
