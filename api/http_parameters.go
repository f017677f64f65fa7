package api

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// maxWait is the longest that a request may wait for a change; who asks for more gets this.
const maxWait = time.Minute

// identifier says whether text may be an id or a name: [A-Za-z0-9._:-]{1,128}.
func identifier(text string) bool {
	for _, c := range []byte(text) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("._:-", c) >= 0:
		default:
			return false
		}
	}
	return text != "" && len(text) <= 128
}

// printable says whether text has at most so many characters, all of which can be seen: no control characters, nothing
// that turns the direction of writing.
func printable(text string, longest int) bool {
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > longest {
		return false
	}
	for _, c := range text {
		if !unicode.IsPrint(c) {
			return false
		}
	}
	return true
}

// sagaID reads the id of a saga. What is no ULID is no saga's id.
func sagaID(text string) (string, error) {
	id, err := ulid.ParseStrict(text)
	if err != nil {
		return "", record.ErrSagaNotFound
	}
	return id.String(), nil
}

// invalidParameter is the detail of every problem with that code; its errors name the parameters.
const invalidParameter = "Invalid parameter."

// parameter is the problem of one parameter or header.
func parameter(name, message string) error {
	return problem(resource.CodeInvalidParameter, invalidParameter,
		resource.FieldError{Parameter: name, Message: message})
}

func parseWait(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 {
		return 0, parameter("wait", "must be a duration such as 30s")
	}
	return min(wait, maxWait), nil
}

// maxReason is how many characters the reason of an action may have.
const maxReason = 1000

// checkReason is for text that goes into the history: line breaks are fine there, other control characters are not.
func checkReason(reason string, required bool) (fault string) {
	unbroken := strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace(reason)
	switch {
	case required && strings.TrimSpace(reason) == "":
		return "must say why: it goes into the saga's history"
	case !printable(unbroken, maxReason):
		return "must be at most " + strconv.Itoa(maxReason) + " printable characters"
	default:
		return ""
	}
}

// traceParent takes a W3C trace context from outside, and nothing that only looks like one.
func traceParent(header string) string {
	const shape = "00-00000000000000000000000000000000-0000000000000000-00"
	if len(header) != len(shape) || header[:3] != "00-" {
		return ""
	}
	for i, c := range []byte(header) {
		dash := shape[i] == '-'
		if dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdef", rune(c)) {
			return ""
		}
	}
	return header
}
