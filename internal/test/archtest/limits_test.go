package archtest

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// limitRow matches a table row in docs/limits.md: the limit, its figure, its constant, and the effect of exceeding it.
var limitRow = regexp.MustCompile("(?m)^\\| ([^|]+) \\| ([^|]+) \\| `([^`]+)` \\| [^|]+ \\|$")

// The figures in docs/limits.md are those of the constants.
func TestThePageOfLimitsMatchesTheConstants(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "docs", "limits.md"))
	require.NoError(t, err)
	rows := limitRow.FindAllStringSubmatch(string(page), -1)
	require.Greater(t, len(rows), 35)
	for _, row := range rows {
		folder, name, found := strings.Cut(row[3], ".")
		require.True(t, found, row[0])
		value := constantIn(t, filepath.Join(root, folder), name)
		require.Equal(t, value.ExactString(), figure(t, row[2]).ExactString(), "%s: `%s`", row[1], row[3])
	}
}

// figure parses "256 KiB", "10,000" or "8760h".
func figure(t *testing.T, text string) constant.Value {
	t.Helper()
	number, unit, _ := strings.Cut(strings.ReplaceAll(text, ",", ""), " ")
	if d, err := time.ParseDuration(number); err == nil && unit == "" && number != "0" {
		return constant.MakeInt64(int64(d))
	}
	value := constant.MakeFromLiteral(number, token.INT, 0)
	require.Equal(t, constant.Int, value.Kind(), text)
	switch unit {
	case "KiB":
		return constant.Shift(value, token.SHL, 10)
	case "MiB":
		return constant.Shift(value, token.SHL, 20)
	}
	require.Empty(t, unit, text)
	return value
}

// constantIn returns the value of a constant in the sources of a package.
func constantIn(t *testing.T, folder, name string) constant.Value {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		require.NoError(t, err)
		for _, declaration := range file.Decls {
			group, is := declaration.(*ast.GenDecl)
			if !is || group.Tok != token.CONST {
				continue
			}
			for _, spec := range group.Specs {
				values := spec.(*ast.ValueSpec)
				for i, ident := range values.Names {
					if ident.Name == name && i < len(values.Values) {
						return constant.ToInt(evaluated(t, values.Values[i]))
					}
				}
			}
		}
	}
	require.FailNow(t, "no such constant", "%s in %s", name, folder)
	return nil
}

// evaluated evaluates the few forms of expressions that limits have.
func evaluated(t *testing.T, expression ast.Expr) constant.Value {
	t.Helper()
	switch e := expression.(type) {
	case *ast.BasicLit:
		return constant.MakeFromLiteral(e.Value, e.Kind, 0)
	case *ast.ParenExpr:
		return evaluated(t, e.X)
	case *ast.BinaryExpr:
		x, y := evaluated(t, e.X), evaluated(t, e.Y)
		if e.Op == token.SHL {
			places, _ := constant.Uint64Val(y)
			return constant.Shift(x, token.SHL, uint(places))
		}
		return constant.BinaryOp(x, e.Op, y)
	case *ast.SelectorExpr:
		units := map[string]time.Duration{
			"Millisecond": time.Millisecond, "Second": time.Second, "Minute": time.Minute, "Hour": time.Hour,
		}
		unit, known := units[e.Sel.Name]
		require.True(t, known, e.Sel.Name)
		return constant.MakeInt64(int64(unit))
	default:
		require.FailNow(t, "unexpected form of a constant", "%T", expression)
		return nil
	}
}
