// Package modelcheck goes through every order of events of small sagas with the shipped saga.Transition, and holds every
// single edge against the rules, which are written down here independently of Instance.Check.
//
// It walks twice. Among strangers, workers may answer anything, at any time, as often as they like: whatever a reply
// says, the saga keeps its own rules. Among workers that keep the barrier's promises, a ledger knows what took effect:
// what the saga says at its end must be what happened.
//
// The walk is complete for a shape because its states are finite: of an attempt's number only what is left of its
// policy matters, and of a time only whether it is due. Both are abstracted, so that states which can never be told
// apart are one; steps that can be exchanged for one another are, too.
//
// It may import saga.
package modelcheck
