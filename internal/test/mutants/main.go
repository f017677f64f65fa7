// Command mutants proves that the tests can fail. It plants one defect at a time and runs the layers of tests that should
// find it. It exits with status 1 if a defect survives. It needs the same servers as the tests.
//
// It does not change the files of the repository: an overlay makes the Go command read others in their place.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// mutant is a defect, planted by replacing text that occurs exactly once in its file.
type mutant struct {
	name     string
	file     string
	old, new string
	layers   []layer // run in order until one finds the defect
}

// layer is a subset of the tests.
type layer struct {
	name      string
	arguments []string // of go test
}

// finding is the fate of a mutant.
type finding struct {
	layer   string // that found it; empty: the mutant survived
	took    time.Duration
	message string // the first message of the failed test
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	survived, err := run(ctx, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
	}
	if err != nil || survived > 0 {
		os.Exit(1)
	}
}

// run plants the mutants whose names contain one of the words, or all if there are no words.
func run(ctx context.Context, words []string) (survived int, err error) {
	folder, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return 0, fmt.Errorf("create a folder for the planted files: %w", err)
	}
	defer os.RemoveAll(folder)
	planted := 0
	for _, m := range mutants() {
		if !wanted(m, words) {
			continue
		}
		planted++
		found, err := m.try(ctx, folder)
		switch {
		case ctx.Err() != nil:
			return survived, ctx.Err()
		case err != nil: // the source has changed; the others are planted still
			survived++
			found.layer, found.message = "BROKEN", err.Error()
		case found.layer == "":
			survived++
			found.layer = "SURVIVED"
		}
		fmt.Printf("%-58s %-14s %6.1f s  %s\n", m.name, found.layer, found.took.Seconds(), found.message)
	}
	fmt.Printf("%d defects planted, %d found\n", planted, planted-survived)
	return survived, nil
}

func wanted(m mutant, words []string) bool {
	for _, word := range words {
		if strings.Contains(m.name, word) {
			return true
		}
	}
	return len(words) == 0
}

// try runs the layers on the mutant until one fails.
func (m mutant) try(ctx context.Context, folder string) (finding, error) {
	overlay, err := m.plant(folder)
	if err != nil {
		return finding{}, err
	}
	began := time.Now()
	for _, l := range m.layers {
		output, err := command(ctx, append([]string{"test", "-overlay", overlay, "-count=1", "-timeout=3m", "-failfast"}, l.arguments...)...)
		var failed *exec.ExitError
		switch {
		case ctx.Err() != nil:
			return finding{}, ctx.Err()
		case err != nil && (!errors.As(err, &failed) || strings.Contains(output, "[build failed]")):
			return finding{}, fmt.Errorf("run %s: %w: %s", l.name, err, output)
		case err != nil:
			return finding{layer: l.name, took: time.Since(began), message: firstMessage(output)}, nil //nolint:nilerr // a failed test is the success of a mutant
		}
	}
	return finding{took: time.Since(began)}, nil
}

// plant writes the mutant's file and the overlay that replaces the original with it.
func (m mutant) plant(folder string) (overlay string, err error) {
	text, err := os.ReadFile(m.file)
	if err != nil {
		return "", fmt.Errorf("read the file to change: %w", err)
	}
	if count := strings.Count(string(text), m.old); count != 1 {
		return "", fmt.Errorf("the text to replace occurs %[2]d times in %[1]s, want once", m.file, count)
	}
	path, err := filepath.Abs(m.file)
	if err != nil {
		return "", fmt.Errorf("resolve the path of %s: %w", m.file, err)
	}
	changed := filepath.Join(folder, "planted"+filepath.Ext(m.file))
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	if err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	overlay = filepath.Join(folder, "overlay.json")
	return overlay, errors.Join(
		os.WriteFile(changed, []byte(strings.Replace(string(text), m.old, m.new, 1)), 0o600),
		os.WriteFile(overlay, list, 0o600),
	)
}

func command(ctx context.Context, arguments ...string) (string, error) {
	output, err := exec.CommandContext(ctx, "go", arguments...).CombinedOutput()
	return string(output), err
}

// failure matches the message of a failed test: testify's error, or the broken rule of a simulation.
var failure = regexp.MustCompile(`(?m)^\s+(?:Error:\s+(?:Received unexpected error:\s+)?|[a-z_]+_test\.go:\d+: (?:seed \d+, saga \w*: ))(.+)$`)

func firstMessage(output string) string {
	found := failure.FindStringSubmatch(output)
	if found == nil {
		return ""
	}
	return fmt.Sprintf("%.90s", strings.TrimSpace(found[1]))
}
