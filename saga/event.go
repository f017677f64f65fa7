package saga

import (
	"encoding/json"
	"time"
)

// Event is everything that can happen to an instance. It carries the time, so the core has no clock.
type Event struct {
	At           time.Time
	OverdueAfter time.Duration // how long without progress until a person should look; 0 means never
	Cause        Cause
}

// Cause is what an Event is about: Wake, Published, Lost, Reply or Action.
type Cause interface{ cause() }

// Wake says that time has passed. Waking an instance with nothing due changes nothing, so a timer may fire too often.
type Wake struct {
	// Unpublished holds the ids of the instance's commands that still wait in the outbox: their time does not run.
	Unpublished map[string]bool
}

// Published says that a command that had to wait in the outbox has reached its queue: its attempt's time runs from now.
type Published struct{ Command CommandID }

// Lost says that the broker gave up on a command. Whether a worker saw it before is unknown.
type Lost struct {
	Command CommandID
	Reason  string
}

// Reply is a worker's answer to one command.
type Reply struct {
	Command   CommandID
	Succeeded bool
	Output    json.RawMessage // a JSON object, or nil; anything where OutputFault is set
	// OutputFault is why Output cannot be merged into the saga's data; empty: it can. The step took effect all the same.
	OutputFault string
	Error       *ReplyError // set when not Succeeded
}

// ReplyError is a worker's word that an attempt failed and took no effect.
type ReplyError struct {
	Code      string
	Message   string
	Retryable bool
}

// Action is what a person asks for. ID makes it take effect once, even when a commit's outcome was unknown and the
// same action is applied again.
type Action struct {
	ID         string
	Name       ActionName
	Step       string
	Output     json.RawMessage // of ActionSkip: a JSON object, or nil
	Patch      json.RawMessage // of ActionPatchData: a JSON merge patch that is an object
	Reason     string
	Actor      string
	IfRevision int64 // 0: whatever the revision is
}

// ActionName is the last part of an action's path in the REST API.
type ActionName string

// The actions of a person.
const (
	ActionRetry       ActionName = "retry"
	ActionSkip        ActionName = "skip"
	ActionCompensate  ActionName = "compensate"
	ActionAbandon     ActionName = "abandon"
	ActionAcknowledge ActionName = "acknowledge"
	ActionPause       ActionName = "pause"
	ActionResume      ActionName = "resume"
	ActionPatchData   ActionName = "patch_data"
)

func (Wake) cause()      {}
func (Published) cause() {}
func (Lost) cause()      {}
func (Reply) cause()     {}
func (Action) cause()    {}

// Start is what Definition.Start makes an instance of.
type Start struct {
	ID           string
	At           time.Time
	OverdueAfter time.Duration
	Key          string
	Data         json.RawMessage // a JSON object; nil means {}
	Priority     uint8
	Labels       map[string]string
	StartAt      time.Time     // zero: at once
	Deadline     time.Duration // before the definition's; 0: the definition's
	TraceParent  string
	Actor        string
}
