package ui

import (
	"slices"
	"strings"
)

// diffLine is a line of a comparison.
type diffLine struct {
	Sign string // +, - or a space
	Text string
}

// Class returns the class of the line in the style sheet.
func (d diffLine) Class() string {
	switch d.Sign {
	case "+":
		return "plus"
	case "-":
		return "minus"
	}
	return "same-line"
}

const (
	// diffContext is how many equal lines surround a difference.
	diffContext = 3
	// mostDiffLines bounds the work of a comparison, which grows with the product of both lengths.
	mostDiffLines = 3000
)

// diff compares two texts line by line. same reports whether they are equal.
func diff(from, to string) (lines []diffLine, same bool) {
	if from == to {
		return nil, true
	}
	a, b := strings.Split(from, "\n"), strings.Split(to, "\n")
	if len(a) > mostDiffLines || len(b) > mostDiffLines {
		return []diffLine{{" ", "These versions are too long to be compared here."}}, false
	}
	// common[i][j] is the length of the longest common subsequence of a[i:] and b[j:].
	common := make([][]int16, len(a)+1)
	for i := range common {
		common[i] = make([]int16, len(b)+1)
	}
	for i, left := range slices.Backward(a) {
		for j, right := range slices.Backward(b) {
			if left == right {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			lines = append(lines, diffLine{" ", a[i]})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[i+1][j] >= common[i][j+1]):
			lines = append(lines, diffLine{"-", a[i]})
			i++
		default:
			lines = append(lines, diffLine{"+", b[j]})
			j++
		}
	}
	return nearChanges(lines), false
}

// nearChanges leaves out equal lines that are far from a difference.
func nearChanges(lines []diffLine) []diffLine {
	near := make([]bool, len(lines))
	for i, line := range lines {
		if line.Sign != " " {
			for k := max(0, i-diffContext); k <= min(len(lines)-1, i+diffContext); k++ {
				near[k] = true
			}
		}
	}
	var kept []diffLine
	for i, line := range lines {
		switch {
		case near[i]:
			kept = append(kept, line)
		case len(kept) == 0 || kept[len(kept)-1].Sign != "…":
			kept = append(kept, diffLine{Sign: "…"})
		}
	}
	return kept
}
