// Package contender holds what all contenders of the benchmark share: the order saga, the two ways that it can go, and the
// interface behind which a contender stands. A contender makes the same sagas as every other, in its own manner.
package contender
