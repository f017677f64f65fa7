package saga

import (
	"encoding/json"
	"fmt"
	"time"
)

// Duration is a time.Duration whose JSON form is a Go duration string such as "1m30s".
type Duration time.Duration

// MarshalJSON writes the shortest spelling that time.Duration gives.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(d).String())
}

// UnmarshalJSON takes a Go duration string and nothing else: a bare number has no unit.
func (d *Duration) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return fmt.Errorf("a duration is a string such as %q", "30s")
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("not a duration such as %q", "30s") // what was given may be anything, and is not repeated
	}
	*d = Duration(parsed)
	return nil
}

// String spells the duration as time.Duration does.
func (d Duration) String() string { return time.Duration(d).String() }
