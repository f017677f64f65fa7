package archtest

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestImportsFollowTheTable(t *testing.T) {
	table := imports()
	for _, s := range repository(t) {
		row, found := rowOf(table, s.pkg)
		if !assert.True(t, found, "%s: package %s has no row in the table of imports", s.path, s.pkg) {
			continue
		}
		for _, imported := range s.imported() {
			own, ours := strings.CutPrefix(imported, "./")
			if ours && !allowed(table, row, own) {
				t.Errorf("%s: %s may not import %s", s.path, s.pkg, own)
			}
		}
	}
}

func TestTheTableNamesOnlyExistingRows(t *testing.T) {
	table := imports()
	for row, targets := range table {
		for _, target := range targets {
			_, found := table[target]
			assert.True(t, found || target == all, "the row of %s allows %s, which has no row", row, target)
		}
	}
}

func TestTheCoreIsPure(t *testing.T) {
	for _, s := range repository(t) {
		if s.pkg != "saga" && s.pkg != "saga/rawjson" {
			continue
		}
		for _, imported := range s.imported() {
			first, _, _ := strings.Cut(imported, "/")
			standard := !strings.Contains(first, ".")
			assert.True(t, standard || strings.HasPrefix(imported, "github.com/oklog/ulid/") || imported == "./saga/rawjson",
				"%s: the core imports %s", s.path, imported)
			assert.False(t, slices.Contains(forbiddenInCore(), imported) || first == "net" || first == "os",
				"%s: the core imports %s", s.path, imported)
		}
		for _, call := range clockCalls(s) {
			t.Errorf("%s: the core calls time.%s", s.path, call)
		}
	}
}

func TestFilesAndFunctionsAreShort(t *testing.T) {
	for _, s := range repository(t) {
		assert.Less(t, s.lines, maxFileLines, "%s: lines", s.path)
		for _, declaration := range s.file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || function.Body == nil {
				continue
			}
			lines := s.set.Position(function.End()).Line - s.set.Position(function.Pos()).Line + 1
			assert.Less(t, lines, maxFunctionLines, "%s: lines of function %s", s.path, function.Name.Name)
		}
	}
}

// A table that is read wrongly could allow everything.
func TestRowOf(t *testing.T) {
	table := map[string][]string{"saga": {}, "internal/engine": {"saga"}, "store": {"saga"}, "server": {all}, "cmd": {all}}
	row, found := rowOf(table, "internal/engine/lanes")
	require.True(t, found)
	assert.Equal(t, "internal/engine", row)
	_, found = rowOf(table, "elsewhere")
	assert.False(t, found)

	assert.True(t, allowed(table, "internal/engine", "saga"))
	assert.True(t, allowed(table, "store", "store/rows"), "the same row")
	assert.False(t, allowed(table, "saga", "internal/engine"), "a subpackage with a row of its own")
	assert.False(t, allowed(table, "store", "internal/engine"), "another row without permission")
	assert.True(t, allowed(table, "server", "store"))
	assert.False(t, allowed(table, "server", "cmd/orchestrator"), "nothing imports a command")
}

// rowOf returns the row of a package: its own, or that of the nearest directory above it.
func rowOf(table map[string][]string, pkg string) (string, bool) {
	for ; pkg != "."; pkg = path.Dir(pkg) {
		if _, found := table[pkg]; found {
			return pkg, true
		}
	}
	return "", false
}

// allowed reports whether the packages of a row may import a package.
func allowed(table map[string][]string, row, imported string) bool {
	target, found := rowOf(table, imported)
	switch {
	case !found:
		return false
	case target == row:
		return true
	case target == "cmd":
		return false
	default:
		return slices.Contains(table[row], all) || slices.Contains(table[row], target)
	}
}

// clockCalls returns the file's calls of functions of package time that read the clock or wait.
func clockCalls(s source) []string {
	var calls []string
	ast.Inspect(s.file, func(node ast.Node) bool {
		selector, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		name, ok := selector.X.(*ast.Ident)
		if ok && name.Name == "time" && slices.Contains(forbiddenCalls(), selector.Sel.Name) {
			calls = append(calls, selector.Sel.Name)
		}
		return true
	})
	return calls
}
