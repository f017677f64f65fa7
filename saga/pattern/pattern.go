// Package pattern compiles regular expressions whose cost is known before they are compiled or matched. Go's expressions match
// in time proportional to their size times the length of the text, so that both together must be bounded: a repetition of seven
// bytes has a thousand instructions.
package pattern

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

// MaxSize is the size of the largest regular expression, in instructions of Go's matcher. Each takes about a microsecond to
// compile.
const MaxSize = 10_000

// Costs of compiling, in instructions.
const (
	tableCost = 100   // a table of Unicode, such as \p{L}
	foldCost  = 3_000 // a range of letters beyond ASCII without regard to case, whose letters are looked up one by one
)

// hugeSize is far beyond what the parser accepts.
const hugeSize = 1 << 30

// Limits of the matcher that backtracks, as in package regexp. It takes a fraction of the time.
const (
	backtrackSize = 500
	backtrackBits = 256 << 10
	// matcherFactor is the cost of one instruction for one byte by the other matcher; here it is a half.
	matcherFactor = 2
)

// Pattern is a regular expression. One that is too large is not compiled.
type Pattern struct {
	text     string
	size     int // in instructions
	build    int // what it costs to compile, in instructions
	compiled *regexp.Regexp
}

// New returns a pattern, which is compiled unless its size is over a limit. An error means that it is not a regular expression.
func New(text string, limit int) (*Pattern, error) {
	p := &Pattern{text: text, build: ParseCost(text)}
	if p.build > limit {
		return p, nil
	}
	var err error
	if p.size, err = Size(text); err != nil {
		return nil, err
	}
	if p.build = max(p.build, p.size); p.build > limit {
		return p, nil
	}
	if p.compiled, err = regexp.Compile(text); err != nil {
		return nil, err
	}
	return p, nil
}

// ParseCost returns what it costs at most to read an expression, in instructions. It looks at the text only.
func ParseCost(text string) int {
	cost := len(text)/2 + tableCost*(strings.Count(text, `\p`)+strings.Count(text, `\P`))
	begin := strings.IndexByte(text, '[')
	if begin < 0 || !folds(text) {
		return cost
	}
	for rest := text[begin:]; ; {
		_, end, found := strings.Cut(rest, "-")
		if !found {
			return cost
		}
		if farLetter(end) {
			cost += foldCost
		}
		rest = end
	}
}

// farLetter reports whether a text may begin with a letter beyond ASCII, written as itself or by its number: the end of a wide range.
func farLetter(text string) bool {
	switch {
	case text == "":
		return false
	case text[0] == '\\':
		return len(text) > 1 && (text[1] == 'x' || text[1] >= '0' && text[1] <= '7')
	default:
		return text[0] >= 0x80
	}
}

// folds reports whether an expression has the flag i somewhere.
func folds(text string) bool {
	for {
		_, rest, found := strings.Cut(text, "(?")
		if !found {
			return false
		}
		if flags := strings.IndexFunc(rest, func(r rune) bool { return !strings.ContainsRune("imsU-", r) }); flags > 0 &&
			strings.Contains(rest[:flags], "i") {
			return true
		}
		text = rest
	}
}

// Size returns the number of instructions of an expression, or a little more. It expands no repetition.
func Size(text string) (int, error) {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0, err
	}
	return size(parsed) + 2, nil
}

// size returns the size of a part of an expression. The parser bounds its depth and, at 1,000, the product of repetitions.
func size(part *syntax.Regexp) int {
	inner := 0
	for _, sub := range part.Sub {
		inner += size(sub)
	}
	switch part.Op {
	case syntax.OpLiteral:
		return len(part.Rune)
	case syntax.OpConcat:
		return inner
	case syntax.OpAlternate:
		return inner + len(part.Sub)
	case syntax.OpCapture:
		return inner + 2
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		return inner + 1
	case syntax.OpRepeat:
		times := max(part.Min, part.Max, 1)
		if part.Min == 1 && part.Max == 1 {
			return inner // it may be nested a thousand times
		}
		return min(times*inner+times+1, hugeSize)
	default: // one instruction: a class, a boundary
		return 1
	}
}

// Usable reports whether the pattern was compiled.
func (p *Pattern) Usable() bool { return p.compiled != nil }

// Size returns the size of the pattern in instructions.
func (p *Pattern) Size() int { return p.size }

// BuildCost returns what it costs to compile the pattern, in instructions.
func (p *Pattern) BuildCost() int { return p.build }

// String returns the text of the pattern.
func (p *Pattern) String() string { return p.text }

// MatchString reports whether a text matches. No text matches a pattern that is not usable.
func (p *Pattern) MatchString(text string) bool {
	return p.compiled != nil && p.compiled.MatchString(text)
}

// MatchCost returns what it costs at most to match an expression of a size with a text of so many bytes, in units of about 10
// nanoseconds.
func MatchCost(size, bytes int) int {
	work := size * (bytes + 1)
	if size < backtrackSize && work <= backtrackBits {
		return work / 2
	}
	return matcherFactor * work
}
