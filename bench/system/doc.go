// Package system holds what all systems of the benchmark share: the order saga, the two ways that it can go, and the
// interface behind which a system stands. A system makes the same sagas as every other, in its own manner.
package system
