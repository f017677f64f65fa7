package scaling

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/saga-orchestrator/orchestrator/bench/compare"
)

// Result is the result of a series.
type Result struct {
	Series  string          `json:"series"`
	Machine compare.Machine `json:"machine"`
	Plan    Plan            `json:"plan"`
	Points  []Point         `json:"points"`
	// Notes holds further facts, such as how long seeding took.
	Notes []string `json:"notes,omitempty"`
}

// Point is one measured point of a series.
type Point struct {
	X       float64                   `json:"x"`
	Label   string                    `json:"label"`
	Figures map[string]compare.Spread `json:"figures"` // by name, with the unit
}

// median returns the median of a figure, and whether the point has the figure.
func (p Point) median(name string) (value float64, known bool) {
	spread, known := p.Figures[name]
	return spread.Median, known && spread.Rounds > 0
}

// once returns the spread of a single measurement.
func once(value float64) compare.Spread { return compare.SpreadOf([]float64{value}) }

// pointsFile holds the latest result of every series.
const pointsFile = "points.json"

// load returns the results of earlier runs, by series.
func load(folder string) (map[string]Result, error) {
	results := make(map[string]Result)
	content, err := os.ReadFile(filepath.Join(folder, pointsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return results, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read earlier points: %w", err)
	}
	if err := json.Unmarshal(content, &results); err != nil {
		return nil, fmt.Errorf("read earlier points: %w", err)
	}
	return results, nil
}

func save(folder string, results map[string]Result) error {
	content, err := json.MarshalIndent(results, "", " ")
	if err != nil {
		return fmt.Errorf("encode the points: %w", err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("create a folder for the points: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, pointsFile), append(content, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the points: %w", err)
	}
	return nil
}
