package pattern_test

import (
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga/pattern"
)

// nestedOnce repeats a pattern once, so many times over.
func nestedOnce(text string, levels int) string {
	return strings.Repeat("(?:", levels) + text + strings.Repeat("){1}", levels)
}

func TestTheSizeOfAPatternIsKnownBeforeItIsCompiled(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, `a`, `abc`, `^[a-z]+@[a-z]+\.com$`, `(a{0,30}){0,30}`, `((a|b)*c?){2,}`, `\pL{3,7}`, `(?i)straße`, `a|bc|[d-f]`, `(?:a*)*`, `(?:(?:a{10}){10}){10}`,
		nestedOnce("x{1000}", 64), nestedOnce("x", 10), `x{0}`, `(?:xy){2,}`, `x{1,1}`,
	} {
		size, err := pattern.Size(text)
		require.NoError(t, err)
		parsed, err := syntax.Parse(text, syntax.Perl)
		require.NoError(t, err)
		program, err := syntax.Compile(parsed.Simplify())
		require.NoError(t, err)
		assert.GreaterOrEqual(t, size, len(program.Inst)-3, text)
		assert.LessOrEqual(t, size, 3*len(program.Inst), text)
	}
}

func TestAPatternBeyondTheLimitIsNotCompiled(t *testing.T) {
	t.Parallel()
	for text, usable := range map[string]bool{
		strings.Repeat("a", pattern.MaxSize-2):          true,
		strings.Repeat("a", pattern.MaxSize-1):          false,
		strings.Repeat("(a{0,1000})", 500):              false,
		strings.Repeat(`\pL`, 101):                      false,
		strings.Repeat("(?i)[B-\\x{1E942}]", 50):        false,
		strings.Repeat("(?is-m:[^é-ÿ])|", 4):            false,
		`^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,255}$`: true,
		`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`:   true,
		`(?i)^[a-zà-ÿ' -]{1,100}$`:                      true,
		`^\p{L}[\p{L}\p{M}' -]{0,99}$`:                  true,
		`(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)`: true,
		`^.{0,1000}$`:                                       true,
		`(?i)^[a-z]\d-\d{3}-\d{2}-\d{4}-\d{2}$`:             true,
		`(?i)^[\w-\.]+$|[é-]-naïve`:                         true,
		nestedOnce(strings.Repeat("x{1000}", 3000), 64):     false,
		nestedOnce("x{1000}", 900):                          true,
		`^(?:[1-9]?\d|1\d\d|2[0-5]\d)(?:\.(?:\d{1,3})){3}$`: true,
	} {
		compiled, err := pattern.New(text, pattern.MaxSize)
		require.NoError(t, err)
		assert.Equal(t, usable, compiled.Usable(), "%.40s", text)
	}
	_, err := pattern.New("(", pattern.MaxSize)
	require.Error(t, err)
}

func TestAPatternMatches(t *testing.T) {
	t.Parallel()
	compiled, err := pattern.New("^a+$", pattern.MaxSize)
	require.NoError(t, err)
	assert.True(t, compiled.MatchString("aaa"))
	assert.False(t, compiled.MatchString("ab"))
	assert.Equal(t, "^a+$", compiled.String())
}

func TestAMatchCostsByTheSizeAndTheText(t *testing.T) {
	t.Parallel()
	assert.Equal(t, 2*pattern.MatchCost(100, 99), pattern.MatchCost(200, 99))
	assert.Equal(t, 10*pattern.MatchCost(2000, 99), pattern.MatchCost(2000, 999))
	assert.Greater(t, pattern.MatchCost(100, 100_000), 1000*pattern.MatchCost(100, 99), "a long text needs the slower matcher")
}
