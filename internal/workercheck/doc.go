// Package workercheck grades a running worker of any language: it plays the broker's part, with the deliveries that break
// workers, and gives a verdict for each point.
//
// It disturbs no saga: its commands have ids of sagas that do not exist, and the replies go to a queue of its own, which the
// broker deletes with the connection. It sees only replies, so two effects with equal replies look like one.
package workercheck
