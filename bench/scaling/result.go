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

// Result is what a series has found.
type Result struct {
	Series  string          `json:"series"`
	Machine compare.Machine `json:"machine"`
	Plan    Plan            `json:"plan"`
	Points  []Point         `json:"points"`
	// Notes say what else there is to know, such as how long seeding took.
	Notes []string `json:"notes,omitempty"`
}

// Point is what was measured at one place of a series.
type Point struct {
	X       float64                   `json:"x"`
	Label   string                    `json:"label"`
	Figures map[string]compare.Spread `json:"figures"` // by name, with the unit
}

// median is a figure in the middle; known says whether there is one.
func (p Point) median(name string) (value float64, known bool) {
	spread, known := p.Figures[name]
	return spread.Median, known && spread.Rounds > 0
}

// once is a figure that was measured one time.
func once(value float64) compare.Spread { return compare.SpreadOf([]float64{value}) }

// pointsFile holds every series that was ever measured and not measured again.
const pointsFile = "points.json"

// load reads the results of former runs, by series.
func load(folder string) (map[string]Result, error) {
	results := make(map[string]Result)
	content, err := os.ReadFile(filepath.Join(folder, pointsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return results, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read former points: %w", err)
	}
	if err := json.Unmarshal(content, &results); err != nil {
		return nil, fmt.Errorf("read former points: %w", err)
	}
	return results, nil
}

func save(folder string, results map[string]Result) error {
	content, err := json.MarshalIndent(results, "", " ")
	if err != nil {
		return fmt.Errorf("encode the points: %w", err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make a folder for the points: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, pointsFile), append(content, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the points: %w", err)
	}
	return nil
}
