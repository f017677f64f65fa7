// Package system holds the shared parts of the systems in the benchmark: the order saga with its two variants, and the
// interface of a system. All systems run the same sagas.
package system
