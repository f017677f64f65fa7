package memory

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// tables hold all data. Their rows are never changed in place.
type tables struct {
	definitions map[string][]definitionRow // by name, oldest version first
	sagas       map[string]sagaRow
	ids         []string             // of sagas, in order
	waking      map[string]time.Time // id → WakeAt
	history     map[string][]entryRow
	outbox      map[string]map[string]outboxRow // saga → command id
	claims      map[string]claimRow             // by idempotency key
	keyOf       map[string]string               // saga → idempotency key
	leases      map[string]lease                // by name; not in the file, since it has one process
	keysInUse   map[businessKey]string          // → saga
	deadLetters map[string]record.DeadLetter
	apiKeys     map[string]record.Key
	disabled    map[string]bool        // by a definition's name
	settings    map[string]settingsRow // by queue
	bulks       map[string]record.BulkAction
	bulkItems   map[string]map[string]record.BulkItem   // bulk action → target
	events      map[record.Sink]map[string]record.Event // by the key of the row
	audit       []record.AuditEntry                     // by seq
	auditChain  record.AuditChain
	webhooks    map[string]record.Webhook
	deliveries  map[string]map[string]deliveryRow // webhook → event
	health      map[string]record.QueueHealth     // by queue
	problems    map[string]record.QueueProblem    // by queue; not in the file, since the queues are not either
}

type definitionRow struct {
	Name      string
	Version   int
	Body      string
	CreatedAt time.Time
}

// sagaRow is an instance whose JSON form keeps its data byte by byte.
type sagaRow struct {
	saga.Instance
	Unreadable string // why the instance cannot be read; Instance has its readable part
}

func (r sagaRow) stored() record.StoredSaga {
	found := record.StoredSaga{Instance: record.Clone(r.Instance)}
	if r.Unreadable != "" {
		found.Progress = saga.Progress{Steps: make([]saga.StepState, len(r.Steps)), Parent: r.Parent}
		for i := range r.Steps {
			found.Steps[i].Name = r.Steps[i].Name
		}
		found.Unreadable = fmt.Errorf("saga %s: %w: %s", r.ID, record.ErrUnreadable, r.Unreadable)
	}
	return found
}

type entryRow struct {
	SagaID  string
	Seq     int64
	At      time.Time
	Type    saga.EntryType
	Step    string
	Attempt int
	Actor   string
	Detail  json.RawMessage `json:",omitempty"`
}

// key is the row's name in the file.
func (r entryRow) key() string { return r.SagaID + "/" + fmt.Sprintf("%020d", r.Seq) }

type outboxRow struct {
	Command      wire.Command
	ClaimedUntil time.Time
	Leased       bool // by its publisher; false: waits for its next turn
	Attempts     int
	RefusedAt    time.Time
	Reason       string
	Delivered    bool // in its queue, as far as this process knows
	Held         bool `json:",omitempty"` // by the settings of its queue
	Placed       bool `json:",omitempty"` // it counts as out: it has left once under a cap
}

// settingsRow is what an operator has set for a queue, with the commands that its rate allowed at a time.
type settingsRow struct {
	record.QueueSettings
	Tokens   float64
	TokensAt time.Time
}

type claimRow struct {
	SagaID   string
	BodyHash []byte
	EndedAt  time.Time `json:",omitzero"` // of its saga, set when that is deleted
}

type lease struct {
	holder string
	until  time.Time
}

type businessKey struct{ Definition, Key string }

type keyRow struct {
	businessKey
	SagaID string
}

func newTables() tables {
	return tables{
		definitions: make(map[string][]definitionRow), sagas: make(map[string]sagaRow),
		waking: make(map[string]time.Time), history: make(map[string][]entryRow),
		outbox: make(map[string]map[string]outboxRow), claims: make(map[string]claimRow),
		keyOf: make(map[string]string), leases: make(map[string]lease),
		keysInUse: make(map[businessKey]string), deadLetters: make(map[string]record.DeadLetter),
		apiKeys: make(map[string]record.Key), disabled: make(map[string]bool), settings: make(map[string]settingsRow), bulks: make(map[string]record.BulkAction),
		webhooks: make(map[string]record.Webhook), deliveries: make(map[string]map[string]deliveryRow),
		events: make(map[record.Sink]map[string]record.Event), auditChain: newAuditChain(),
		health:    make(map[string]record.QueueHealth),
		bulkItems: make(map[string]map[string]record.BulkItem), problems: make(map[string]record.QueueProblem),
	}
}

func (t *tables) putDefinition(row definitionRow) {
	rows := append(slices.Clone(t.definitions[row.Name]), row)
	slices.SortFunc(rows, func(a, b definitionRow) int { return cmp.Compare(a.Version, b.Version) })
	t.definitions[row.Name] = rows
}

func (t *tables) putSaga(row sagaRow) {
	if _, known := t.sagas[row.ID]; !known {
		at, _ := slices.BinarySearch(t.ids, row.ID)
		t.ids = slices.Insert(t.ids, at, row.ID)
	}
	t.sagas[row.ID] = row
	if row.WakeAt.IsZero() {
		delete(t.waking, row.ID)
	} else {
		t.waking[row.ID] = row.WakeAt
	}
}

func (t *tables) putClaim(key string, row claimRow) {
	t.claims[key], t.keyOf[row.SagaID] = row, key
}

func (t *tables) deleteClaim(key string) {
	delete(t.keyOf, t.claims[key].SagaID)
	delete(t.claims, key)
}

func (t *tables) deleteSaga(id string) {
	if at, found := slices.BinarySearch(t.ids, id); found {
		t.ids = slices.Delete(t.ids, at, at+1)
	}
	delete(t.sagas, id)
	delete(t.waking, id)
	delete(t.history, id)
}

func (t *tables) putEntry(row entryRow) {
	rows := append(t.history[row.SagaID], row)
	if n := len(rows); n > 1 && rows[n-2].Seq > row.Seq {
		slices.SortFunc(rows, func(a, b entryRow) int { return cmp.Compare(a.Seq, b.Seq) })
	}
	t.history[row.SagaID] = rows
}

func (t *tables) putOutbox(row outboxRow) {
	id := row.Command.ID
	if t.outbox[id.Saga] == nil {
		t.outbox[id.Saga] = make(map[string]outboxRow)
	}
	t.outbox[id.Saga][id.String()] = row
}

func (t *tables) deleteOutbox(id saga.CommandID) {
	delete(t.outbox[id.Saga], id.String())
	if len(t.outbox[id.Saga]) == 0 {
		delete(t.outbox, id.Saga)
	}
}

type savedSaga struct {
	saga.Instance
	Text       string
	Unreadable string `json:",omitempty"`
}

// MarshalJSON writes the data as a string: encoding/json would reformat an embedded document.
func (r sagaRow) MarshalJSON() ([]byte, error) {
	saved := savedSaga{Instance: r.Instance, Text: string(r.Data), Unreadable: r.Unreadable}
	saved.Data = nil
	return saga.EncodeJSON(saved)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *sagaRow) UnmarshalJSON(text []byte) error {
	var saved savedSaga
	if err := json.Unmarshal(text, &saved); err != nil {
		return fmt.Errorf("read the row of a saga: %w", err)
	}
	r.Instance, r.Unreadable = saved.Instance, saved.Unreadable
	r.Data = json.RawMessage(saved.Text)
	return nil
}
