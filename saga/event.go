package saga

import (
	"encoding/json"
	"time"
)

// Event is something that happens to an instance. It carries the time, so the core needs no clock.
type Event struct {
	At           time.Time
	OverdueAfter time.Duration // time without progress after which the saga asks for attention; 0: never
	// HeldBack holds the ids of commands that were never sent, because settings of their queues hold them back. A saga that
	// turns back withdraws them, and so does one that no longer awaits them. It may be empty: a Wake and an Action have it.
	HeldBack map[string]bool
	Cause    Cause
}

// Cause is what happened: Wake, Published, Lost, Reply, Signal, ChildEnded, Unwind or Action.
type Cause interface{ cause() }

// Wake reports that time has passed. It changes nothing if nothing is due, so timers may fire too often.
type Wake struct {
	// Unpublished holds the ids of the commands that still wait in the outbox: their timeouts do not run.
	Unpublished map[string]bool
}

// Published reports that a command that had to wait in the outbox has reached its queue. Its timeout starts now.
type Published struct{ Command CommandID }

// Lost reports that the broker dead-lettered a command. A worker may have handled it before.
type Lost struct {
	Command CommandID
	Reason  string
}

// Reply is a worker's answer to one command.
type Reply struct {
	Command   CommandID
	Succeeded bool
	Output    json.RawMessage // a JSON object, or nil; arbitrary if OutputFault is set
	// OutputFault is the reason why Output cannot be merged into the data; empty if it can. The step took effect
	// anyway.
	OutputFault string
	Error       *ReplyError // set when not Succeeded
}

// ReplyError reports that an attempt failed and took no effect.
type ReplyError struct {
	Code      string
	Message   string
	Retryable bool
}

// Action is an operator's request. Its ID makes it take effect once, even if it is applied again after a commit with an
// unknown outcome.
type Action struct {
	ID         string
	Name       ActionName
	Step       string          // empty: the saga, or the only step that it can mean
	To         string          // of ActionRewind: the first step to run again
	Output     json.RawMessage // of ActionSkip: a JSON object, or nil
	Patch      json.RawMessage // of ActionPatchData and ActionRewind: a JSON merge patch that is an object
	Command    CommandID       // of ActionRedrive: the dead-lettered command
	Reason     string
	Actor      string
	IfRevision int64 // 0: any revision
}

// ActionName is the last part of an action's path in the REST API.
type ActionName string

// The actions of an operator.
const (
	ActionRetry       ActionName = "retry"
	ActionSkip        ActionName = "skip"
	ActionCompensate  ActionName = "compensate"
	ActionAbandon     ActionName = "abandon"
	ActionAcknowledge ActionName = "acknowledge"
	ActionPause       ActionName = "pause"
	ActionResume      ActionName = "resume"
	ActionPatchData   ActionName = "patch_data"
	ActionRewind      ActionName = "rewind"
	ActionRedrive     ActionName = "redrive" // of a dead letter; AllowedActions never has it
)

func (Wake) cause()      {}
func (Published) cause() {}
func (Lost) cause()      {}
func (Reply) cause()     {}
func (Action) cause()    {}

// Start is the input of Definition.Start.
type Start struct {
	ID           string
	At           time.Time
	OverdueAfter time.Duration   // as in Event
	Key          string          // business key; empty: none
	Data         json.RawMessage // a JSON object; nil means {}
	Priority     uint8           // of its commands, 0 to 9
	Labels       map[string]string
	StartAt      time.Time     // zero: now
	Deadline     time.Duration // overrides that of the definition; 0: no override
	TraceParent  string
	Actor        string
	Parent       *Parent // nil: none
	// Unwound starts a child that its parent no longer wants: it ends at once, compensated.
	Unwound bool
}
