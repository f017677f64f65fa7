// Package checker says whether sagas ended as they must: by what the services did, in the order in which they did it, and
// not by what the orchestrator believes. It is given plain values and has no means to look anything up, so that a
// simulation and real processes can be held to the same rules, and so that it can be shown to fail.
//
// It may import saga and internal/record, for their words alone: nothing in it calls the core.
package checker
