package resource

import (
	"encoding/json"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Group contains all sagas that need attention for the same reason, at the same step, with the same error.
type Group struct {
	Definition string               `json:"definition"`
	Reason     saga.AttentionReason `json:"reason"`
	Step       Text                 `json:"step" nullable:"true" doc:"null: the attention does not concern a step"`
	ErrorCode  Text                 `json:"error_code" nullable:"true" doc:"null: the step has no error"`
	Count      int64                `json:"count"`
	Oldest     *Time                `json:"oldest" format:"date-time" doc:"When the first of these sagas needed attention"`
	Newest     *Time                `json:"newest" format:"date-time" doc:"When the last of these sagas needed attention"`
	Example    string               `json:"example" doc:"Id of one of these sagas"`
	Filter     GroupFilter          `json:"filter" doc:"Selects exactly this group, in a list and in a bulk action"`
}

// GroupFilter selects a group. A step or an error code of "-" selects sagas without one.
type GroupFilter struct {
	Definition      string                 `json:"definition"`
	AttentionReason []saga.AttentionReason `json:"attention_reason"`
	Step            string                 `json:"step"`
	ErrorCode       string                 `json:"error_code"`
}

// Groups holds the groups of sagas that need attention, the largest first.
type Groups struct {
	Items []Group `json:"items"`
	Total int64   `json:"total" doc:"Number of sagas that need attention"`
}

// BulkRequest is the body of `POST /v1/sagas/actions`.
type BulkRequest struct {
	Action    string          `json:"action" enum:"retry,skip,compensate,abandon,acknowledge,pause,resume,patch_data,rewind" doc:"One of a saga's actions"`
	Filter    json.RawMessage `json:"filter" doc:"The filters of the list of sagas, with lists for repeatable ones, or {\"ids\": [...]} with at most 1,000"`
	Reason    string          `json:"reason" maxLength:"1000"`
	Step      string          `json:"step,omitempty" minLength:"1" doc:"For retry, skip and compensate"`
	Output    json.RawMessage `json:"output,omitempty" doc:"For skip: a JSON object"`
	Patch     json.RawMessage `json:"patch,omitempty" doc:"For patch_data and rewind: a JSON merge patch"`
	To        string          `json:"to,omitempty" doc:"For rewind: the step to go back to"`
	DryRun    bool            `json:"dry_run,omitempty" null:"refused" doc:"Only report what would be done"`
	Rate      float64         `json:"rate,omitempty" null:"refused" minimum:"0.01" maximum:"1000000" doc:"Maximum number of sagas per second; absent: no limit"`
	Canary    int             `json:"canary,omitempty" null:"refused" minimum:"1" maximum:"100000" doc:"Number of sagas after which the action waits to be continued"`
	StopAfter int             `json:"stop_after,omitempty" null:"refused" minimum:"1" maximum:"100000" doc:"Number of refused or failed sagas after which the action stops"`
}

// LetterBulkRequest is the body of `POST /v1/dead-letters/actions`.
type LetterBulkRequest struct {
	Action    string          `json:"action" enum:"redrive,discard"`
	Filter    json.RawMessage `json:"filter" doc:"The filters of the list of dead letters, or {\"ids\": [...]} with at most 1,000"`
	Reason    string          `json:"reason" maxLength:"1000"`
	DryRun    bool            `json:"dry_run,omitempty" null:"refused" doc:"Only report what would be done"`
	Rate      float64         `json:"rate,omitempty" null:"refused" minimum:"0.01" maximum:"1000000" doc:"Maximum number of dead letters per second; absent: no limit"`
	Canary    int             `json:"canary,omitempty" null:"refused" minimum:"1" maximum:"100000" doc:"Number of dead letters after which the action waits to be continued"`
	StopAfter int             `json:"stop_after,omitempty" null:"refused" minimum:"1" maximum:"100000" doc:"Number of refused or failed dead letters after which the action stops"`
}

// BulkAction is one operator action on many sagas or dead letters. matched = done + refused + failed + remaining.
type BulkAction struct {
	ID         string          `json:"id"`
	On         string          `json:"on" enum:"sagas,dead_letters"`
	Action     string          `json:"action"`
	Status     string          `json:"status" enum:"running,waiting,stopped,cancelled,completed"`
	Filter     json.RawMessage `json:"filter"`
	Reason     string          `json:"reason"`
	Step       string          `json:"step,omitempty"`
	Output     json.RawMessage `json:"output,omitempty"`
	Patch      json.RawMessage `json:"patch,omitempty"`
	To         string          `json:"to,omitempty" doc:"For rewind: the step from which the sagas go forward again"`
	Rate       float64         `json:"rate,omitempty" null:"refused" doc:"Maximum number of targets per second"`
	Canary     int             `json:"canary,omitempty" null:"refused" doc:"Number of targets after which the action waits to be continued; absent once it is"`
	StopAfter  int             `json:"stop_after,omitempty" null:"refused" doc:"Number of refused or failed targets after which the action stops"`
	Actor      string          `json:"actor"`
	CreatedAt  Time            `json:"created_at" format:"date-time"`
	FinishedAt *Time           `json:"finished_at" format:"date-time"`
	Matched    int             `json:"matched" doc:"Number of targets that matched at the start"`
	Done       int             `json:"done"`
	Refused    int             `json:"refused" doc:"Number of targets to whose state the action did not apply"`
	Failed     int             `json:"failed" doc:"Number of targets for which the action failed"`
	Remaining  int             `json:"remaining"`
}

// BulkControl is the body of `POST /v1/actions/{id}/continue` and `/cancel`. It has no members, and may be absent.
type BulkControl struct{}

// BulkItem is the outcome of one target.
type BulkItem struct {
	ID      string `json:"id"`
	Outcome Text   `json:"outcome" nullable:"true" doc:"done, refused or failed; null: pending"`
	Message Text   `json:"message" nullable:"true" doc:"Reason for a refusal or failure"`
	At      *Time  `json:"at" format:"date-time"`
}

// DryRun reports what a bulk action would do.
type DryRun struct {
	Matched    int          `json:"matched"`
	Applicable int          `json:"applicable"`
	Refused    int          `json:"refused"`
	Items      []DryRunItem `json:"items" doc:"The first 100 targets"`
}

// DryRunItem reports what would be done to one target.
type DryRunItem struct {
	ID      string `json:"id"`
	Status  Text   `json:"status,omitzero" doc:"Status of a saga"`
	Would   Text   `json:"would" nullable:"true" doc:"What would be done; null: refused"`
	Refused Text   `json:"refused" nullable:"true" doc:"Reason for a refusal"`
}

// RedriveAction is the body of `POST /v1/dead-letters/{id}/redrive`. The body may be absent.
type RedriveAction struct {
	Reason string `json:"reason,omitempty" maxLength:"1000"`
}

// Redriven is the answer to a redrive.
type Redriven struct {
	ID         string `json:"id"`
	RedrivenTo string `json:"redriven_to" doc:"Where the message went: the worker queue of a command, as definitions name it"`
}

// DefinitionSettings is the body of `PATCH /v1/definitions/{name}`.
type DefinitionSettings struct {
	Disabled *bool `json:"disabled" doc:"true: starts are refused"`
}
