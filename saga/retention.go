package saga

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Retention is how long the finished sagas of a definition are kept. The latest version's retention applies to the sagas
// of every version.
type Retention struct {
	Completed RetentionRule
	Undone    RetentionRule // compensated and abandoned sagas
}

// RetentionRule is the retention of one outcome. A saga is deleted when it is older than Age, or when Count newer ones of
// its definition and outcome have ended.
type RetentionRule struct {
	Age   Duration // since the end of the saga; 0: the server's default; Forever: no limit
	Count int      // number of newest sagas that are kept; 0: no limit
}

// Limits of a retention.
const (
	// Forever is the Age of sagas that are not deleted by their age.
	Forever Duration = -1

	MinRetentionAge   = time.Second
	MaxRetentionDays  = 36_500
	MaxRetentionCount = 1_000_000
)

// ParseAge parses a Go duration or whole days such as "30d". "0" is Forever. ok is false if the text is neither, or if the
// age is outside MinRetentionAge and MaxRetentionDays.
func ParseAge(text string) (age Duration, ok bool) {
	given, err := time.ParseDuration(text)
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		var number int
		number, err = strconv.Atoi(days)
		given = time.Duration(max(-1, min(number, MaxRetentionDays+1))) * 24 * time.Hour
	}
	switch {
	case err != nil || given != 0 && given < MinRetentionAge || given > MaxRetentionDays*24*time.Hour:
		return 0, false
	case given == 0:
		return Forever, true
	default:
		return Duration(given), true
	}
}

// Retain sets how long finished sagas are kept. By default the server decides.
func (b *Builder) Retain(retention Retention) *Builder {
	b.draft.retention = retention
	return b
}

func (d *Definition) checkRetention(faults *Faults) {
	for _, outcome := range []struct {
		pointer string
		rule    RetentionRule
	}{{"/retention/completed", d.Retention.Completed}, {"/retention/undone", d.Retention.Undone}} {
		age, count := outcome.rule.Age, outcome.rule.Count
		if age != 0 && age != Forever && (age < Duration(MinRetentionAge) || age > Duration(MaxRetentionDays*24*time.Hour)) {
			faults.add(outcome.pointer+"/age", "%s", badAge())
		}
		if count < 0 || count > MaxRetentionCount {
			faults.add(outcome.pointer+"/count", "%s", badCount())
		}
	}
}

func badAge() string {
	return "must be a duration from " + MinRetentionAge.String() + " to " + strconv.Itoa(MaxRetentionDays) + `d such as "720h" or "30d", or "0" for no limit`
}

func badCount() string { return "must be a whole number from 1 to " + strconv.Itoa(MaxRetentionCount) }

// retention reads the member. A stored one that cannot be read keeps everything: it must not stop sagas, and must not
// delete any.
func (r *definitionReader) retention(raw json.RawMessage) Retention {
	if isNull(raw) {
		return Retention{}
	}
	own := definitionReader{lenient: r.lenient}
	members := own.object("/retention", raw, "completed", "undone")
	given := Retention{
		Completed: own.retentionRule("/retention/completed", members["completed"]),
		Undone:    own.retentionRule("/retention/undone", members["undone"]),
	}
	if r.lenient && len(own.faults) > 0 {
		return Retention{Completed: RetentionRule{Age: Forever}, Undone: RetentionRule{Age: Forever}}
	}
	r.faults = append(r.faults, own.faults...)
	return given
}

func (r *definitionReader) retentionRule(at string, raw json.RawMessage) (rule RetentionRule) {
	if isNull(raw) {
		return rule
	}
	members := r.object(at, raw, "age", "count")
	if age := members["age"]; !isNull(age) {
		var text string
		var ok bool
		if err := json.Unmarshal(age, &text); err == nil {
			rule.Age, ok = ParseAge(text)
		}
		if !ok {
			r.faults.add(at+"/age", "%s", badAge())
		}
	}
	if count := members["count"]; !isNull(count) {
		if err := json.Unmarshal(count, &rule.Count); err != nil || rule.Count < 1 || rule.Count > MaxRetentionCount {
			rule.Count = 0
			r.faults.add(at+"/count", "%s", badCount())
		}
	}
	return rule
}

type retentionJSON struct {
	Completed *retentionRuleJSON `json:"completed,omitempty"`
	Undone    *retentionRuleJSON `json:"undone,omitempty"`
}

type retentionRuleJSON struct {
	Age   string `json:"age,omitempty"`
	Count int    `json:"count,omitempty"`
}

// canonical returns the JSON form, nil for the zero value: definitions from before retention keep their bytes.
func (r Retention) canonical() *retentionJSON {
	if r == (Retention{}) {
		return nil
	}
	return &retentionJSON{Completed: r.Completed.canonical(), Undone: r.Undone.canonical()}
}

func (r RetentionRule) canonical() *retentionRuleJSON {
	if r == (RetentionRule{}) {
		return nil
	}
	shown := &retentionRuleJSON{Count: r.Count}
	switch {
	case r.Age == Forever:
		shown.Age = "0"
	case r.Age != 0:
		shown.Age = r.Age.String()
	}
	return shown
}
