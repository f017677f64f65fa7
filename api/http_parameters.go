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

// maxWait caps the wait of a request.
const maxWait = time.Minute

// identifier reports whether text may be an id or a name: [A-Za-z0-9._:-]{1,128}.
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

// printable reports whether text has at most longest characters, all of them printable: no control characters and no
// changes of the direction of writing.
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

// sagaID parses the id of a saga, which is a ULID.
func sagaID(text string) (string, error) {
	id, err := ulid.ParseStrict(text)
	if err != nil {
		return "", record.ErrSagaNotFound
	}
	return id.String(), nil
}

// invalidParameter is the detail of every problem with that code. The errors of the problem name the parameters.
const invalidParameter = "Invalid parameter."

// parameter returns the problem of one parameter or header.
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
		return 0, parameter("wait", "must be a duration with a unit such as 30s, up to "+decimal(maxWait/time.Second)+"s")
	}
	return min(wait, maxWait), nil
}

// maxReason is the maximum length of a reason, in characters.
const maxReason = 1000

// reasonPlace is where a required reason is recorded.
type reasonPlace string

const (
	mayBeEmpty reasonPlace = ""
	inHistory  reasonPlace = "the saga's history"
	inAuditLog reasonPlace = "the audit log" // a dead letter has no history
)

// checkReason checks a reason. It allows line breaks but no other control characters.
func checkReason(reason string, kept reasonPlace) (fault string) {
	unbroken := strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace(reason)
	switch {
	case kept != mayBeEmpty && strings.TrimSpace(reason) == "":
		return "is required: it is recorded in " + string(kept)
	case !printable(unbroken, maxReason):
		return "must be at most " + strconv.Itoa(maxReason) + " printable characters"
	default:
		return ""
	}
}

// traceParent returns the header if it is a valid W3C trace context, else "".
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
