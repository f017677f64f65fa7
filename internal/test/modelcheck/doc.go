// Package modelcheck tries every order of events of small sagas with saga.Transition, and checks every transition
// against the rules. It states the rules independently of Definition.Check.
//
// It runs in two modes. Strangers answer anything, at any time, as often as they like: the saga must keep its own rules.
// Workers keep the barrier's promises, and a ledger holds what took effect: the end of the saga must agree with it.
//
// Shapes may have one special step, which waits for a signal, a time or a child saga, or has a condition. What a condition
// finds, and whether a time has passed, is decided in every way. The child of a step is a small model of a saga.
//
// The search is complete for a shape because its states are finite. Of the number of an attempt it keeps what is left of
// the retry policy, and of a time whether it is due. Steps that can be exchanged count as equal.
package modelcheck
