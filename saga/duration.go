package saga

import (
	"encoding/json"
	"fmt"
	"time"
)

// Duration is a time.Duration whose JSON form is a Go duration string such as "1m30s".
type Duration time.Duration

// MarshalJSON writes the duration as time.Duration.String spells it.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(d).String())
}

// UnmarshalJSON reads a Go duration string. It refuses numbers, which have no unit.
func (d *Duration) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return fmt.Errorf("a duration is a string such as %q", "30s")
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("not a duration such as %q", "30s") // the input may be anything, so the error does not repeat it
	}
	*d = Duration(parsed)
	return nil
}

// String returns the spelling of time.Duration.
func (d Duration) String() string { return time.Duration(d).String() }
