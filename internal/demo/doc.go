// Package demo is what `dev --demo` shows: orders that start by themselves, and the workers of their steps, in the process
// of an embedded orchestrator. Some orders fail and are compensated, some get stuck, and a viewer can make a worker fail.
package demo
