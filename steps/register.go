package steps

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Registration is what Saga.Register did.
type Registration struct {
	Version int      // the version that is registered now
	Created bool     // it is new
	Changes []Change // from the version before; empty: the same, or the first version
}

// Change is one difference between a registered definition and the one in this program.
type Change struct {
	// Pointer is a JSON pointer into the definition, in which a step has its name instead of its position:
	// /steps/charge-payment/timeout.
	Pointer    string
	Registered json.RawMessage // nil: not there
	Here       json.RawMessage // nil: not there
}

// String returns one line such as: /steps/charge-payment/timeout: registered "30s", here "10s".
func (c Change) String() string {
	return c.Pointer + ": registered " + shown(c.Registered) + ", here " + shown(c.Here)
}

// Difference is the error of Saga.Check: this program has another definition than the orchestrator.
type Difference struct {
	Definition string
	Version    int // the latest that is registered; 0: none
	Changes    []Change
}

// Error returns one line for each change.
func (d *Difference) Error() string {
	if d.Version == 0 {
		return "definition " + d.Definition + " is not registered"
	}
	lines := make([]string, len(d.Changes))
	for i, change := range d.Changes {
		lines[i] = "\n  " + change.String()
	}
	return "definition " + d.Definition + " differs from its registered version " + strconv.Itoa(d.Version) + ":" + strings.Join(lines, "")
}

// Register registers the definition. If it differs from the latest version it becomes the next one, and the result lists
// the differences. Running sagas keep their version, so workers must keep the functions of its commands until these sagas
// have ended.
func (s *Saga[T]) Register(ctx context.Context, c *client.Client) (Registration, error) {
	if c == nil {
		return Registration{}, errNoClient
	}
	definition, err := s.Build()
	if err != nil {
		return Registration{}, err
	}
	found, err := s.compare(ctx, c, definition)
	if err != nil {
		return Registration{}, err
	}
	registered, err := c.Register(ctx, definition)
	if err != nil {
		return Registration{}, err
	}
	return Registration{Version: registered.Version, Created: registered.Version != found.Version, Changes: found.Changes}, nil
}

// Check returns a *Difference unless the latest registered version is the definition of this program. A worker that must
// not register anything calls it when it starts.
func (s *Saga[T]) Check(ctx context.Context, c *client.Client) error {
	if c == nil {
		return errNoClient
	}
	definition, err := s.Build()
	if err != nil {
		return err
	}
	found, err := s.compare(ctx, c, definition)
	if err != nil {
		return err
	}
	if found.Version == 0 || len(found.Changes) > 0 {
		return found
	}
	return nil
}

// compare reads the latest registered version and returns what differs.
func (s *Saga[T]) compare(ctx context.Context, c *client.Client, definition *saga.Definition) (*Difference, error) {
	difference := &Difference{Definition: s.name}
	latest, err := c.Definition(ctx, s.name, 0)
	if problem, answered := errors.AsType[*client.Problem](err); answered && problem.Code == resource.CodeDefinitionNotFound {
		return difference, nil
	}
	if err != nil {
		return nil, err
	}
	difference.Version = latest.Version
	body, err := latest.Body()
	if err != nil {
		return nil, fmt.Errorf("encode the registered definition: %w", err)
	}
	registered, err := flat(body)
	if err != nil {
		return nil, err
	}
	here, err := definition.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("encode the definition: %w", err)
	}
	own, err := flat(here)
	if err != nil {
		return nil, err
	}
	difference.Changes = compareFlat(registered, own)
	return difference, nil
}

// compareFlat returns the differences in the order of their pointers.
func compareFlat(registered, here map[string]json.RawMessage) (changes []Change) {
	pointers := maps.Clone(registered)
	maps.Copy(pointers, here)
	for _, pointer := range slices.Sorted(maps.Keys(pointers)) {
		if !bytes.Equal(registered[pointer], here[pointer]) {
			changes = append(changes, Change{Pointer: pointer, Registered: registered[pointer], Here: here[pointer]})
		}
	}
	return changes
}

// flat returns the members of a definition and of its steps and their policies, by pointer. A step is under its name.
func flat(definition []byte) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(definition, &members); err != nil {
		return nil, fmt.Errorf("decode the definition: %w", err)
	}
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(members["steps"], &list); err != nil {
		return nil, fmt.Errorf("decode the steps of the definition: %w", err)
	}
	delete(members, "steps")
	found := make(map[string]json.RawMessage)
	for name, value := range members {
		flatten(found, "/"+name, value)
	}
	for _, step := range list {
		var name string
		if err := json.Unmarshal(step["name"], &name); err != nil {
			return nil, fmt.Errorf("decode the name of a step: %w", err)
		}
		for member, value := range step {
			flatten(found, "/steps/"+name+"/"+member, value)
		}
	}
	return found, nil
}

// flatten adds a value, or the members of an object. An array is one value.
func flatten(into map[string]json.RawMessage, pointer string, value json.RawMessage) {
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) != nil || len(members) == 0 {
		var compact bytes.Buffer
		if json.Compact(&compact, value) == nil {
			value = compact.Bytes()
		}
		into[pointer] = value
		return
	}
	for name, member := range members {
		flatten(into, pointer+"/"+saga.PointerToken(name), member)
	}
}

func shown(value json.RawMessage) string {
	if value == nil {
		return "nothing"
	}
	return string(value)
}
