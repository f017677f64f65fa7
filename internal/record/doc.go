// Package record holds the plain types in which the engine, the stores and the API speak of what is kept: a batch and
// its changes, history lines, dead letters, keys, and the filters and pages of reads. It has no behaviour beyond small
// questions about its own values, and what an instance is like once it was kept; the interfaces that use it stand with
// their consumers.
//
// It may import saga and steps/wire.
package record
