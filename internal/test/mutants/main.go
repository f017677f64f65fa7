// Command mutants proves that the checks can fail: it plants one defect at a time and runs the layers of tests that
// should find it. It exits with 1 if a defect survives. It needs the servers that the tests need.
//
// The files on disk are not touched: the Go command is told to read others in their place.
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

// mutant is a defect, planted by replacing a piece of text that stands in its file once.
type mutant struct {
	name     string
	file     string
	old, new string
	layers   []layer // that are tried, in this order, until one finds it
}

// layer is a part of the tests.
type layer struct {
	name      string
	arguments []string // of go test
}

// finding is what became of a mutant.
type finding struct {
	layer string // empty: it survived
	took  time.Duration
	says  string // the first thing that the failed test said
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

// run plants the mutants whose names contain one of the words; none means all.
func run(ctx context.Context, words []string) (survived int, err error) {
	folder, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return 0, fmt.Errorf("make a folder for the planted files: %w", err)
	}
	defer os.RemoveAll(folder)
	planted := 0
	for _, m := range mutants() {
		if !wanted(m, words) {
			continue
		}
		planted++
		found, err := m.try(ctx, folder)
		if err != nil {
			return survived, fmt.Errorf("%s: %w", m.name, err)
		}
		if found.layer == "" {
			survived++
			found.layer = "SURVIVED"
		}
		fmt.Printf("%-58s %-14s %6.1f s  %s\n", m.name, found.layer, found.took.Seconds(), found.says)
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
	if output, err := command(ctx, "build", "-overlay", overlay, "./..."); err != nil {
		return finding{}, fmt.Errorf("the planted code does not compile: %w: %s", err, output)
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
			return finding{layer: l.name, took: time.Since(began), says: firstComplaint(output)}, nil //nolint:nilerr // it is what is hoped for
		}
	}
	return finding{took: time.Since(began)}, nil
}

// plant writes the mutant's file, and the overlay that puts it into the place of the true one.
func (m mutant) plant(folder string) (overlay string, err error) {
	text, err := os.ReadFile(m.file)
	if err != nil {
		return "", fmt.Errorf("read the file to plant in: %w", err)
	}
	if count := strings.Count(string(text), m.old); count != 1 {
		return "", fmt.Errorf("what is to be replaced in %s stands there %d times, want once", m.file, count)
	}
	path, err := filepath.Abs(m.file)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", m.file, err)
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

// complaint is what a failed test says: testify's error, or the rule that was broken, which may be followed by a story.
var complaint = regexp.MustCompile(`(?m)^\s+(?:Error:\s+(?:Received unexpected error:\s+)?|[a-z_]+_test\.go:\d+: (?:seed \d+, saga \w*: ))(.+)$`)

func firstComplaint(output string) string {
	said := complaint.FindStringSubmatch(output)
	if said == nil {
		return ""
	}
	return fmt.Sprintf("%.90s", strings.TrimSpace(said[1]))
}
