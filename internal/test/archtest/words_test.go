package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// glossaryRow is a row of the glossary in CONTRIBUTING.md: the words to avoid, each in backquotes, and what to write.
var (
	glossaryRow = regexp.MustCompile("(?m)^\\| ((?:`[^`]+`(?:, )?)+) \\| (.+) \\|$")
	quotedWord  = regexp.MustCompile("`([^`]+)`")
	codeSpan    = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
)

// Comments, messages and pages use the words of the glossary.
func TestWordsAreThoseOfTheGlossary(t *testing.T) {
	t.Parallel()
	words := avoided(t)
	for path, text := range texts(t, ".go", ".md") {
		if strings.Contains(path, "archtest/") {
			continue
		}
		if strings.HasSuffix(path, ".go") {
			text = prose(t, path, text)
		} else {
			text = glossaryRow.ReplaceAllString(codeSpan.ReplaceAllString(text, ""), "")
		}
		text = strings.Join(strings.Fields(text), " ")
		for _, found := range words.FindAllStringIndex(text, -1) {
			before := strings.ToLower(text[:found[0]])
			if !strings.HasPrefix(text[found[1]:], " longer") && !strings.HasSuffix(before, "there ") { // both are English
				assert.Fail(t, "a word that the glossary avoids", "%s: %q in …%s…", path, text[found[0]:found[1]],
					text[max(0, found[0]-40):min(len(text), found[1]+30)])
			}
		}
	}
}

// avoided matches the words that the glossary avoids.
func avoided(t *testing.T) *regexp.Regexp {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	require.NoError(t, err)
	_, glossary, _ := strings.Cut(string(page), "### Glossary")
	var words []string
	for _, row := range glossaryRow.FindAllStringSubmatch(glossary, -1) {
		for _, word := range quotedWord.FindAllStringSubmatch(row[1], -1) {
			words = append(words, regexp.QuoteMeta(word[1]))
		}
	}
	require.Greater(t, len(words), 10)
	return regexp.MustCompile(`(?i)\b(` + strings.Join(words, "|") + `)\b`)
}

// prose returns the comments and the string literals of a Go file.
func prose(t *testing.T, path, text string) string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments|parser.SkipObjectResolution)
	require.NoError(t, err)
	var all []string
	for _, group := range file.Comments {
		all = append(all, group.Text())
	}
	ast.Inspect(file, func(node ast.Node) bool {
		literal, is := node.(*ast.BasicLit)
		if is && literal.Kind == token.STRING && strings.ContainsAny(literal.Value, " \t") { // a single word is a value, not prose
			all = append(all, literal.Value)
		}
		return true
	})
	return strings.Join(all, "\n")
}
