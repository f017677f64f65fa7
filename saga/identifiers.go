package saga

import (
	"fmt"
	"strconv"
	"strings"
)

// Direction is what a command asks of a worker: to execute a step or to compensate it.
type Direction string

// The two directions, as they stand in the saga-action header.
const (
	Execute    Direction = "execute"
	Compensate Direction = "compensate"
)

// CommandID identifies one command: one attempt of one step in one direction. It is derived, so repeating a transition
// gives the same id. Round counts how often that direction of the step has begun anew: after a rewind, or for a
// compensation that is repeated after a late success. The first is 1.
type CommandID struct {
	Saga      string
	Step      string
	Direction Direction
	Round     int
	Attempt   int
}

// IdempotencyKey returns the key that all attempts of one effect share: `<saga>/<step>/<execute|compensate>`, with
// `-<round>` after the direction from round 2 on.
func (c CommandID) IdempotencyKey() string {
	key := c.Saga + "/" + c.Step + "/" + string(c.Direction)
	if c.Round > 1 {
		key += "-" + strconv.Itoa(c.Round)
	}
	return key
}

// String returns the id: the idempotency key and the attempt, joined by a slash.
func (c CommandID) String() string {
	return c.IdempotencyKey() + "/" + strconv.Itoa(c.Attempt)
}

// ParseCommandID parses the result of String and refuses everything else.
func ParseCommandID(text string) (CommandID, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 4 || parts[0] == "" || parts[1] == "" {
		return CommandID{}, fmt.Errorf("parse command id: want <saga>/<step>/<action>/<attempt>")
	}
	id := CommandID{Saga: parts[0], Step: parts[1], Direction: Direction(parts[2]), Round: 1}
	if direction, round, found := strings.Cut(parts[2], "-"); found {
		number, err := strconv.Atoi(round)
		if err != nil || number < 2 {
			return CommandID{}, fmt.Errorf("parse command id: malformed action")
		}
		id.Direction, id.Round = Direction(direction), number
	}
	attempt, err := strconv.Atoi(parts[3])
	if err != nil || attempt < 1 {
		return CommandID{}, fmt.Errorf("parse command id: malformed attempt")
	}
	id.Attempt = attempt
	if (id.Direction != Execute && id.Direction != Compensate) || id.String() != text {
		return CommandID{}, fmt.Errorf("parse command id: malformed action or number")
	}
	return id, nil
}
