package saga

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// The check agrees with the patterns that users see in messages.
func TestNamesAreCheckedByTheirPatterns(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{definitionNamePattern, stepNamePattern, commandPattern} {
		written := regexp.MustCompile(`^(?:` + pattern + `)$`)
		rapid.Check(t, func(t *rapid.T) {
			text := rapid.OneOf(
				rapid.String(), rapid.StringMatching(pattern), rapid.StringMatching(`[A-Za-z0-9._:/ é-]{0,4}`),
				rapid.StringMatching(`[a-z0-9]{62,64}`), rapid.StringMatching(`[a-z0-9]{127,129}`),
			).Draw(t, "name")
			assert.Equal(t, written.MatchString(text), matches(pattern, text), "%q by %s", text, pattern)
		})
	}
}
