package resource

import "encoding/json"

// AuditEntry is a change that came by the API.
type AuditEntry struct {
	Seq       int64           `json:"seq" doc:"Position in the chain"`
	At        Time            `json:"at" format:"date-time"`
	Actor     string          `json:"actor" doc:"Name of the key"`
	KeyID     string          `json:"key_id" doc:"Empty: without authentication, or a target of a bulk action, whose own entry has it"`
	Action    string          `json:"action" doc:"What was done, such as saga.retry or definition.put"`
	Target    string          `json:"target" doc:"What it was done to, as in the paths of the API, such as sagas/01J…"`
	Reason    string          `json:"reason"`
	Before    json.RawMessage `json:"before" doc:"What the change replaced; null: nothing, or the change does not say"`
	After     json.RawMessage `json:"after" doc:"What the change made; null: nothing, or the change does not say"`
	RequestID string          `json:"request_id" doc:"X-Request-Id of the call; of a target of a bulk action: the id of that action"`
	Hash      string          `json:"hash" doc:"SHA-256, in hex, of the hash before and this entry"`
}

// AuditChain is the extent of the audit log.
type AuditChain struct {
	Seq       int64  `json:"seq" doc:"Of the last entry in the chain"`
	Hash      string `json:"hash" doc:"Of that entry, in hex"`
	FirstSeq  int64  `json:"first_seq" doc:"Of the last entry that was deleted by its age; 0: none"`
	FirstHash string `json:"first_hash" doc:"Of that entry, in hex"`
	Unsealed  int64  `json:"unsealed" doc:"Entries that are not in the chain yet"`
}
