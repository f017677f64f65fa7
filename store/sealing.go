package store

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/saga-orchestrator/orchestrator/internal/seal"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// The places of sealed values in the scope of their saga, or of what they belong to. Stored values are bound to them.
const (
	sealedData        = "data"
	sealedAttention   = "attention"
	sealedOutput      = "output/"       // and the position of the step
	sealedError       = "error/"        // and the position of the step
	sealedSignal      = "signal/"       // and the position of the step
	sealedSignalError = "signal_error/" // and the position of the step
	sealedFailure     = "failure"
	sealedTurnBack    = "turn_back"
	sealedPatch       = "patch"
	sealedCommand     = "command/" // and the id of the command without the saga's
	sealedLetter      = "letter"
	sealedDelivery    = "delivery"
	sealedParameters  = "parameters"
	sealedBefore      = "before"
	sealedAfter       = "after"
)

// place is a scope with the keys that seal its values.
type place struct {
	keys  *seal.Keys
	scope string
}

func (p place) text(field, plain string) string {
	if plain == "" {
		return plain
	}
	return p.keys.Text(p.scope, field, plain)
}

// message opens a message. One that only looks sealed came from outside before values were sealed, and is shown as it is.
func (p place) message(field, stored string) string {
	if plain, err := p.keys.OpenText(p.scope, field, stored); err == nil {
		return plain
	}
	return stored
}

// detailOf is the place of the detail of an entry, and eventPlace that of an event.
func detailOf(seq int64) string   { return "history/" + strconv.FormatInt(seq, 10) }
func eventPlace(seq int64) string { return "event/" + strconv.FormatInt(seq, 10) }

// detail returns the detail of an entry as it is stored: itself, or sealed.
func (p place) detail(seq int64, detail map[string]any) any {
	if !p.keys.On() {
		return detail
	}
	text, err := saga.EncodeJSON(detail)
	if err != nil {
		return detail // the encoding of the row reports it
	}
	return json.RawMessage(p.keys.JSON(p.scope, detailOf(seq), text))
}

// sealedBody returns the body of a command as the outbox keeps it.
func (s *Store) sealedBody(c *wire.Command) []byte {
	if !s.keys.On() {
		return c.Body
	}
	return s.keys.Bytes(c.ID.Saga, sealedCommand+localID(c.ID), c.Body)
}

// letterPlace returns the place of a dead letter's body, and the body. The body of an orphan came from the outbox as it was.
func letterPlace(id, sagaID, commandID string, body []byte) (scope, field string, _ []byte) {
	if strings.HasPrefix(id, "orphan/") {
		return sagaID, sealedCommand + strings.TrimPrefix(commandID, sagaID+"/"), body
	}
	return id, sealedLetter, body
}

// letterColumns are deadLetterColumns with the size of the clear body.
func (s *Store) letterColumns() string {
	if s.keys == nil {
		return deadLetterColumns
	}
	return strings.Replace(deadLetterColumns, "length(d.body)",
		`length(d.body) - case when substring(d.body for 4) = '\x00736c31'::bytea then `+strconv.Itoa(seal.Overhead)+` else 0 end`, 1)
}

// seal seals what the row holds of payloads. It changes the row, but nothing that belongs to the instance.
func (r *progressRow) seal(at place) *progressRow {
	if !at.keys.On() {
		return r
	}
	r.Failure, r.TurnBack = at.failure(sealedFailure, r.Failure), at.failure(sealedTurnBack, r.TurnBack)
	if r.Rewind != nil && r.Rewind.Patch != nil {
		r.Rewind = &saga.Rewind{To: r.Rewind.To, Patch: at.keys.JSON(at.scope, sealedPatch, r.Rewind.Patch)}
	}
	for i := range r.Steps {
		step := &r.Steps[i]
		if len(step.Output) > 0 {
			step.Output = at.keys.JSON(at.scope, sealedOutput+strconv.Itoa(i), step.Output)
		}
		if given := step.Signal; given != nil {
			copied := *given
			if copied.Output != nil {
				copied.Output = at.keys.JSON(at.scope, sealedSignal+strconv.Itoa(i), given.Output)
			}
			if given.Error != nil {
				copied.Error = &saga.StepError{Code: given.Error.Code, Message: at.text(sealedSignalError+strconv.Itoa(i), given.Error.Message)}
			}
			step.Signal = &copied
		}
		if step.Error != nil {
			step.Error = &saga.StepError{Code: step.Error.Code, Message: at.text(sealedError+strconv.Itoa(i), step.Error.Message)}
		}
	}
	return r
}

func (p place) failure(field string, from *saga.Failure) *saga.Failure {
	if from == nil {
		return nil
	}
	return &saga.Failure{Step: from.Step, Code: from.Code, Message: p.text(field, from.Message)}
}

// open opens what is sealed.
func (r *progressRow) open(at place) (err error) {
	for field, failure := range map[string]*saga.Failure{sealedFailure: r.Failure, sealedTurnBack: r.TurnBack} {
		if failure != nil {
			failure.Message = at.message(field, failure.Message)
		}
	}
	if r.Rewind != nil {
		if r.Rewind.Patch, err = at.keys.OpenJSON(at.scope, sealedPatch, r.Rewind.Patch); err != nil {
			return err
		}
	}
	for i := range r.Steps {
		step := &r.Steps[i]
		if step.Output, err = at.keys.OpenJSON(at.scope, sealedOutput+strconv.Itoa(i), step.Output); err != nil {
			return err
		}
		if given := step.Signal; given != nil {
			if given.Output, err = at.keys.OpenJSON(at.scope, sealedSignal+strconv.Itoa(i), given.Output); err != nil {
				return err
			}
			if given.Error != nil {
				given.Error.Message = at.message(sealedSignalError+strconv.Itoa(i), given.Error.Message)
			}
		}
		if step.Error != nil {
			step.Error.Message = at.message(sealedError+strconv.Itoa(i), step.Error.Message)
		}
	}
	return nil
}
