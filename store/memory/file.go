package memory

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// The buckets of a file, one for each table.
const (
	bucketAbout       = "about"
	bucketDefinitions = "definitions"
	bucketSagas       = "sagas"
	bucketHistory     = "history"
	bucketOutbox      = "outbox"
	bucketClaims      = "idempotency_keys"
	bucketKeysInUse   = "business_keys"
	bucketDeadLetters = "dead_letters"
	bucketAPIKeys     = "api_keys"
	bucketDisabled    = "disabled_definitions"
	bucketSettings    = "queue_settings"
	bucketBulks       = "bulk_actions"
	bucketBulkItems   = "bulk_items"
	bucketEvents      = "events"
	bucketAudit       = "audit"
	bucketAuditChain  = "audit_chain"
	bucketWebhooks    = "webhooks"
	bucketDeliveries  = "webhook_deliveries"
	bucketHealth      = "queue_health"

	formatKey = "format"
	format    = "1"

	installationKey = "installation"
	lockTimeout     = time.Second
)

var errOtherFormat = errors.New("the file was written by another version of this program; --fresh starts a new one")

// change puts or deletes one row, in the file and then in memory.
type change struct {
	bucket, key string
	row         any // nil: delete
	apply       func()
}

// writing collects the changes of one write.
type writing struct {
	tables  *tables
	changes []change
	chain   *record.AuditChain // the end of the audit log after the changes; nil: as in tables
}

func (w *writing) put(bucket, key string, row any, apply func()) {
	w.changes = append(w.changes, change{bucket, key, row, apply})
}

func (w *writing) delete(bucket, key string, apply func()) {
	w.changes = append(w.changes, change{bucket, key, nil, apply})
}

// file is a bbolt database with the rows as JSON.
type file struct{ db *bbolt.DB }

func openFile(path string, fresh bool) (*file, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make its directory: %w", err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, fmt.Errorf("another process has it open: %w", err)
	}
	if err != nil {
		return nil, err
	}
	f := &file{db: db}
	if err := db.Update(func(tx *bbolt.Tx) error { return prepare(tx, fresh) }); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return f, nil
}

func prepare(tx *bbolt.Tx, fresh bool) error {
	buckets := []string{
		bucketAbout, bucketDefinitions, bucketSagas, bucketHistory, bucketOutbox, bucketClaims, bucketKeysInUse,
		bucketDeadLetters, bucketAPIKeys, bucketDisabled, bucketSettings, bucketBulks, bucketBulkItems, bucketEvents,
		bucketWebhooks, bucketDeliveries, bucketHealth, bucketAudit, bucketAuditChain,
	}
	for _, name := range buckets {
		if fresh {
			if err := tx.DeleteBucket([]byte(name)); err != nil && !errors.Is(err, bbolterrors.ErrBucketNotFound) {
				return fmt.Errorf("clear %s: %w", name, err)
			}
		}
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return fmt.Errorf("prepare %s: %w", name, err)
		}
	}
	about := tx.Bucket([]byte(bucketAbout))
	switch written := about.Get([]byte(formatKey)); string(written) {
	case format:
		return nil
	case "":
		return about.Put([]byte(formatKey), []byte(format))
	default:
		return errOtherFormat
	}
}

// installation returns the id in the file, after storing otherwise if the file has none.
func (f *file) installation(otherwise string) (id string, err error) {
	err = f.db.Update(func(tx *bbolt.Tx) error {
		about := tx.Bucket([]byte(bucketAbout))
		if id = string(about.Get([]byte(installationKey))); id != "" {
			return nil
		}
		id = otherwise
		return about.Put([]byte(installationKey), []byte(id))
	})
	return id, err
}

func (f *file) close() error { return f.db.Close() }

// write makes all changes in one transaction, which is durable when write returns.
func (f *file) write(changes []change) error {
	return f.db.Update(func(tx *bbolt.Tx) error {
		for _, c := range changes {
			bucket := tx.Bucket([]byte(c.bucket))
			if c.row == nil {
				if err := bucket.Delete([]byte(c.key)); err != nil {
					return fmt.Errorf("delete %q of %s: %w", c.key, c.bucket, err)
				}
				continue
			}
			text, err := saga.EncodeJSON(c.row)
			if err != nil {
				return fmt.Errorf("encode %q of %s: %w", c.key, c.bucket, err)
			}
			if err := bucket.Put([]byte(c.key), text); err != nil {
				return fmt.Errorf("put %q into %s: %w", c.key, c.bucket, err)
			}
		}
		return nil
	})
}

// load reads everything. The queues of the previous process are gone with it: what was delivered to them is sent again,
// and all leases are free.
func (f *file) load(t *tables) error {
	return f.db.View(func(tx *bbolt.Tx) error {
		return errors.Join(
			each(tx, bucketDefinitions, t.putDefinition),
			t.loadSagas(tx),
			each(tx, bucketHistory, t.putEntry),
			each(tx, bucketOutbox, func(row outboxRow) {
				row.Delivered, row.Leased, row.Placed, row.ClaimedUntil = false, false, false, time.Time{}
				t.putOutbox(row)
			}),
			eachKeyed(tx, bucketClaims, t.putClaim),
			each(tx, bucketKeysInUse, func(row keyRow) { t.keysInUse[row.businessKey] = row.SagaID }),
			each(tx, bucketDeadLetters, func(row record.DeadLetter) { t.deadLetters[row.ID] = row }),
			each(tx, bucketAPIKeys, func(row record.Key) { t.apiKeys[row.ID] = row }),
			eachKeyed(tx, bucketDisabled, func(name string, _ bool) { t.disabled[name] = true }),
			eachKeyed(tx, bucketSettings, func(queue string, row settingsRow) { t.settings[queue] = row }),
			each(tx, bucketBulks, func(row record.BulkAction) { t.bulks[row.ID] = row }),
			each(tx, bucketBulkItems, t.putBulkItem),
			each(tx, bucketEvents, t.putEvent),
			each(tx, bucketAudit, func(row record.AuditEntry) { t.audit = append(t.audit, row) }),
			each(tx, bucketAuditChain, func(row record.AuditChain) { t.auditChain = row }),
			each(tx, bucketWebhooks, func(row record.Webhook) { t.webhooks[row.Name] = row }),
			each(tx, bucketDeliveries, t.putDelivery),
			each(tx, bucketHealth, func(row record.QueueHealth) { t.health[row.Queue] = row }),
		)
	})
}

// loadSagas reads every saga. It keeps the readable part of an unreadable one.
func (t *tables) loadSagas(tx *bbolt.Tx) error {
	return tx.Bucket([]byte(bucketSagas)).ForEach(func(key, text []byte) error {
		var row sagaRow
		if err := json.Unmarshal(text, &row); err != nil {
			row.ID, row.Unreadable = string(key), err.Error()
		}
		t.putSaga(row)
		return nil
	})
}

func each[Row any](tx *bbolt.Tx, bucket string, take func(Row)) error {
	return eachKeyed(tx, bucket, func(_ string, row Row) { take(row) })
}

func eachKeyed[Row any](tx *bbolt.Tx, bucket string, take func(string, Row)) error {
	return tx.Bucket([]byte(bucket)).ForEach(func(key, text []byte) error {
		var row Row
		if err := json.Unmarshal(text, &row); err != nil {
			return fmt.Errorf("read %q of %s: %w", key, bucket, err)
		}
		take(string(key), row)
		return nil
	})
}
