package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	ruleHeading   = regexp.MustCompile(`(?m)^### Rule (\d+):`)
	ruleTest      = regexp.MustCompile(`(?m)^func TestRule(\d+)[A-Z]`)
	invariantRow  = regexp.MustCompile("(?m)^\\| (\\d+) \\| .* \\| `([^`]+)` \\|$")
	citation      = regexp.MustCompile(`\b([Rr]ule|[Ii]nvariant)s? (\d+)(?: (?:to|and) (\d+))?\b`)
	elsewhere     = regexp.MustCompile(`contract(\.md)?,? section|catalogue of faults|\b(contract|design|reliability)\.md\b`)
	definedSymbol = `(?m)^(func (\([^)]*\) )?|var |const |type |\t)%s\b`
)

// A reader of "rule 9" finds the rule in docs/rules.md, and a test of it.
func TestEveryCitedRuleExistsAndIsTested(t *testing.T) {
	t.Parallel()
	rules, invariants := numbered(t)
	tested := make(map[string]bool)
	for path, text := range texts(t, ".go", ".md", ".sql") {
		for _, found := range ruleTest.FindAllStringSubmatch(text, -1) {
			tested[found[1]] = true
			assert.Contains(t, rules, found[1], "%s: a test of rule %s, which is not in docs/rules.md", path, found[1])
		}
		if strings.HasSuffix(path, "archtest/citations_test.go") {
			continue
		}
		for _, found := range citation.FindAllStringSubmatch(text, -1) {
			known := rules
			if strings.EqualFold(found[1], "invariant") {
				known = invariants
			}
			for _, number := range found[2:] {
				if number != "" {
					assert.Contains(t, known, number, "%s: %s is not in docs/rules.md", path, found[0])
				}
			}
		}
		assert.Empty(t, elsewhere.FindAllString(text, -1), "%s cites a page that is not in the repository", path)
	}
	for number := range rules {
		assert.True(t, tested[number], "no test is named TestRule%s…", number)
	}
}

// numbered returns the numbers of the rules and of the invariants, which count from 1 without gaps.
func numbered(t *testing.T) (rules, invariants map[string]bool) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "rules.md"))
	require.NoError(t, err)
	count := func(found [][]string) map[string]bool {
		require.NotEmpty(t, found)
		numbers := make(map[string]bool)
		for i, one := range found {
			require.Equal(t, strconv.Itoa(i+1), one[1], "the numbers of docs/rules.md")
			numbers[one[1]] = true
		}
		return numbers
	}
	return count(ruleHeading.FindAllStringSubmatch(string(page), -1)), count(invariantRow.FindAllStringSubmatch(string(page), -1))
}

// Every invariant in docs/rules.md names the code that checks it.
func TestEveryInvariantNamesItsCheck(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "docs", "rules.md"))
	require.NoError(t, err)
	for _, row := range invariantRow.FindAllStringSubmatch(string(page), -1) {
		folder, symbol, _ := strings.Cut(row[2], ".")
		defined := regexp.MustCompile(strings.Replace(definedSymbol, "%s", regexp.QuoteMeta(symbol), 1))
		found := false
		files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
		require.NoError(t, err)
		for _, path := range files {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			found = found || defined.Match(text)
		}
		assert.True(t, found, "invariant %s: %s does not exist", row[1], row[2])
	}
}
