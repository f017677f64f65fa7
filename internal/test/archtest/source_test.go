package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the repository's root.
const root = "../../.."

const module = "github.com/saga-orchestrator/orchestrator"

// source is a Go file, not a test.
type source struct {
	pkg   string // its directory, relative to the repository's root
	path  string
	file  *ast.File
	set   *token.FileSet
	lines int
}

// repository returns the Go files of this module and of the benchmark's module, without tests and test data.
func repository(t *testing.T) []source {
	t.Helper()
	var sources []source
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return skip(root, path, entry)
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		s, err := parse(root, path)
		if err == nil && !ast.IsGenerated(s.file) {
			sources = append(sources, s)
		}
		return err
	})
	require.NoError(t, err)
	require.NotEmpty(t, sources, "no Go files in %s", root)
	return sources
}

func skip(root, path string, entry fs.DirEntry) error {
	if path == root {
		return nil
	}
	if strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && path != filepath.Join(root, "bench") {
		return filepath.SkipDir
	}
	return nil
}

func parse(root, path string) (source, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	relative, err := filepath.Rel(root, path)
	if err != nil {
		return source{}, err
	}
	relative = filepath.ToSlash(relative)
	pkg := "."
	if i := strings.LastIndex(relative, "/"); i >= 0 {
		pkg = relative[:i]
	}
	return source{pkg: pkg, path: relative, file: file, set: set, lines: set.File(file.Pos()).LineCount()}, nil
}

// imported returns the paths that the file imports. Paths of this module start with "./".
func (s source) imported() []string {
	var paths []string
	for _, spec := range s.file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value) // the parser has checked that it is a string
		if own, ok := strings.CutPrefix(path, module+"/"); ok {
			path = "./" + own
		}
		paths = append(paths, path)
	}
	return paths
}

// texts returns the repository's files with the given extensions, including tests, by their paths from the root.
func texts(t *testing.T, endings ...string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return skip(root, path, entry)
		case !slices.Contains(endings, filepath.Ext(path)):
			return nil
		}
		text, err := os.ReadFile(path)
		found[strings.TrimPrefix(path, root+"/")] = string(text)
		return err
	})
	require.NoError(t, err)
	require.NotEmpty(t, found)
	return found
}
