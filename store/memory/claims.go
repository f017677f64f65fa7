package memory

import (
	"bytes"
	"context"
	"slices"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// claim returns the outcome of each start. The idempotency key decides before the business key. The keys are stored
// later, with the sagas.
func (t *transaction) claim() map[string]record.StartOutcome {
	outcomes := make(map[string]record.StartOutcome, len(t.batch.Starts))
	claims := make(map[string]record.StartClaim)               // of this batch, by idempotency key
	inUse := make(map[businessKey]string, len(t.batch.Starts)) // by this batch
	for _, start := range t.batch.Starts {
		outcome := t.outcome(start, claims, inUse, outcomes)
		outcomes[start.SagaID] = outcome
		if _, taken := claims[start.IdempotencyKey]; start.IdempotencyKey != "" && !taken {
			claims[start.IdempotencyKey] = start
		}
		if outcome.Kind == record.StartFree && start.Key != "" {
			inUse[businessKey{start.Definition, start.Key}] = start.SagaID
		}
	}
	return outcomes
}

// newer returns the latest versions of the definitions for which a start claims an older one.
func (t *transaction) newer() map[string]int {
	newer := make(map[string]int)
	for _, start := range t.batch.Starts {
		versions := t.writing.tables.definitions[start.Definition]
		if start.Latest && len(versions) > 0 && versions[len(versions)-1].Version > start.Version {
			newer[start.Definition] = versions[len(versions)-1].Version
		}
	}
	return newer
}

func (t *transaction) outcome(
	start record.StartClaim, claims map[string]record.StartClaim, inUse map[businessKey]string,
	before map[string]record.StartOutcome,
) record.StartOutcome {
	kept := t.writing.tables
	if own, found := kept.sagas[start.SagaID]; found {
		held, keyed := kept.claims[start.IdempotencyKey]
		if keyed && held.SagaID == own.ID && !bytes.Equal(held.BodyHash, start.BodyHash) {
			return record.StartOutcome{Kind: record.StartConflict, Existing: own.ID}
		}
		return record.StartOutcome{Kind: record.StartExists, Existing: own.ID, Instance: record.Clone(own.Instance)}
	}
	held, found := kept.claims[start.IdempotencyKey]
	if first, claimed := claims[start.IdempotencyKey]; !found && claimed {
		held, found = claimRow{SagaID: first.SagaID, BodyHash: first.BodyHash}, true
	}
	if start.IdempotencyKey != "" && found && held.SagaID != start.SagaID {
		if !bytes.Equal(held.BodyHash, start.BodyHash) {
			return record.StartOutcome{Kind: record.StartConflict, Existing: held.SagaID}
		}
		// The holder may be an earlier claim of this batch that failed over its business key: a repetition fails the
		// same way.
		if first, found := before[held.SagaID]; found && first.Kind == record.StartKeyInUse {
			return first
		}
		existing := record.StartOutcome{Kind: record.StartExists, Existing: held.SagaID}
		row, stored := kept.sagas[held.SagaID]
		if _, claimed := before[held.SagaID]; !stored && !claimed {
			existing.Kind = record.StartGone
		}
		if stored {
			existing.Instance = record.Clone(row.Instance)
		}
		return existing
	}
	if kept.disabled[start.Definition] && !start.Child {
		return record.StartOutcome{Kind: record.StartDisabled}
	}
	key := businessKey{start.Definition, start.Key}
	user, found := kept.keysInUse[key]
	if !found {
		user, found = inUse[key]
	}
	if start.Key != "" && found && user != start.SagaID {
		return record.StartOutcome{Kind: record.StartKeyInUse, Existing: user}
	}
	defined := slices.ContainsFunc(kept.definitions[start.Definition], func(row definitionRow) bool {
		return row.Version == start.Version
	})
	if start.Version > 0 && !defined {
		return record.StartOutcome{Kind: record.StartUndefined}
	}
	return record.StartOutcome{Kind: record.StartFree}
}

// putKeys stores the keys of created and reopened sagas, and releases those of sagas that end.
func (t *transaction) putKeys(loaded record.Loaded, changes record.Changes) {
	created := make(map[string]bool, len(changes.Created))
	for _, in := range changes.Created {
		created[in.ID] = true
	}
	for _, start := range t.batch.Starts {
		if loaded.Starts[start.SagaID].Kind != record.StartFree || !created[start.SagaID] {
			continue
		}
		if key := start.IdempotencyKey; key != "" {
			row := claimRow{SagaID: start.SagaID, BodyHash: bytes.Clone(start.BodyHash)}
			t.put(bucketClaims, key, row, func() { t.writing.tables.putClaim(key, row) })
		}
		if start.Key != "" {
			t.takeKey(businessKey{start.Definition, start.Key}, start.SagaID)
		}
	}
	for _, in := range slices.Concat(changes.Created, changes.Updated) {
		key := businessKey{in.Definition, in.Key}
		holder, held := t.writing.tables.keysInUse[key]
		switch {
		case in.Key == "":
		case in.Status.Terminal():
			if holder != in.ID && !created[in.ID] {
				continue
			}
			t.delete(bucketKeysInUse, key.text(), func() {
				if t.writing.tables.keysInUse[key] == in.ID {
					delete(t.writing.tables.keysInUse, key)
				}
			})
		case in.ReopenedFrom != "" && !held:
			t.takeKey(key, in.ID)
		}
	}
}

func (t *transaction) takeKey(key businessKey, sagaID string) {
	row := keyRow{businessKey: key, SagaID: sagaID}
	t.put(bucketKeysInUse, key.text(), row, func() { t.writing.tables.keysInUse[key] = sagaID })
}

// text is the key's name in the file. A definition's name contains no slash.
func (k businessKey) text() string { return k.Definition + "/" + k.Key }

// StartedUnder returns the saga that a start under an idempotency key made, and the hash of that start's body; "" if there is
// none. The saga may be deleted.
func (s *Store) StartedUnder(_ context.Context, key string) (sagaID string, bodyHash []byte, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	row := s.tables.claims[key]
	return row.SagaID, bytes.Clone(row.BodyHash), nil
}
