package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Limits of a start.
const (
	maxKey            = 128 // characters
	maxIdempotencyKey = 255
	maxPriority       = 9
	maxLabels         = 32
	maxLabelName      = 63
	maxLabelValue     = 256
	maxStartDelay     = 10 * 365 * 24 * time.Hour
)

// DecodeStart decodes the body of a start, which is the same by REST and by message. BodyHash is the same for bodies that
// mean the same: it ignores the order of members, white space and explicit defaults. An error is a *resource.Problem that
// repeats nothing of the body.
func DecodeStart(content []byte, now time.Time) (record.StartRequest, error) {
	if len(content) > maxBody {
		return record.StartRequest{}, tooLarge(maxBody)
	}
	if err := saga.CheckJSON(content, saga.DefaultJSONLimits()); err != nil {
		return record.StartRequest{}, problem(resource.CodeInvalidBody, "The body is not valid: "+err.Error()+".")
	}
	return decodeStart(content, now, true)
}

// decodeStart is DecodeStart for a checked document. Only a start with an idempotency key needs the hash.
func decodeStart(content []byte, now time.Time, hashed bool) (record.StartRequest, error) {
	var data json.RawMessage
	given, err := decode(content, func(given resource.StartSaga) []resource.FieldError {
		faults := startFaults(given, now)
		data = optionalObject("data", given.Data, &faults)
		return faults
	})
	if err != nil {
		return record.StartRequest{}, err
	}
	var hash []byte
	if hashed {
		if hash, err = startHash(given, data); err != nil {
			return record.StartRequest{}, err
		}
	}
	return record.StartRequest{
		Definition: given.Definition, Version: given.Version, Key: given.Key, BodyHash: hash, Data: data,
		Priority: given.Priority, Labels: given.Labels, StartAt: given.StartAt.UTC(), Deadline: time.Duration(given.Deadline),
	}, nil
}

// checkIdempotencyKey checks the header Idempotency-Key. An empty key means none.
func checkIdempotencyKey(key string) error {
	if !printable(key, maxIdempotencyKey) {
		return parameter("Idempotency-Key", "must be at most 255 printable characters")
	}
	return nil
}

func startFaults(given resource.StartSaga, now time.Time) []resource.FieldError {
	var faults []resource.FieldError
	refuse := func(wrong bool, name, message string, arguments ...any) {
		if wrong {
			faults = append(faults, field(name, fmt.Sprintf(message, arguments...)))
		}
	}
	refuse(!identifier(given.Definition), "definition", "must name a definition, in 1 to 63 letters, digits, - and _")
	refuse(given.Version < 0 || given.Version > math.MaxInt32, "version", "must be 1 to %d", math.MaxInt32)
	refuse(!printable(given.Key, maxKey), "key", "must be at most %d printable characters", maxKey)
	refuse(given.Priority > maxPriority, "priority", "must be 0 to %d", maxPriority)
	refuse(given.Deadline != 0 && (given.Deadline < saga.Duration(saga.MinInterval) || given.Deadline > saga.Duration(saga.MaxDuration)),
		"deadline", "must be %s to %s", saga.MinInterval, saga.MaxDuration)
	refuse(given.StartAt.UTC().Year() < 1, "start_at", "must not be before the year 1") // RFC 3339 cannot represent it in UTC
	refuse(given.StartAt.After(now.Add(maxStartDelay)), "start_at", "must not be more than ten years ahead")
	refuse(len(given.Labels) > maxLabels, "labels", "must be at most %d", maxLabels)
	for name, value := range given.Labels {
		if !label(name, value) {
			refuse(true, "labels", "names have 1 to %d of [A-Za-z0-9._:/-], values at most %d printable characters",
				maxLabelName, maxLabelValue)
			break
		}
	}
	return faults
}

// label reports whether a label is within its limits. Its name has no "=", because a filter has the form name=value.
func label(name, value string) bool {
	plain := bytes.ReplaceAll([]byte(name), []byte("/"), []byte("."))
	return len(name) <= maxLabelName && identifier(string(plain)) && printable(value, maxLabelValue)
}

// startHash hashes the decoded request with the members of the data sorted. Numbers are compared by their spelling.
func startHash(given resource.StartSaga, data json.RawMessage) ([]byte, error) {
	if data == nil {
		data = json.RawMessage("{}")
	}
	canonical, err := canonicalJSON(data)
	if err != nil {
		return nil, err
	}
	given.Data = canonical
	given.StartAt = given.StartAt.UTC()
	text, err := json.Marshal(given)
	if err != nil {
		return nil, fmt.Errorf("hash a start: %w", err)
	}
	sum := sha256.Sum256(text)
	return sum[:], nil
}

func canonicalJSON(document json.RawMessage) (json.RawMessage, error) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("canonical JSON: %w", err)
	}
	return json.Marshal(value)
}
