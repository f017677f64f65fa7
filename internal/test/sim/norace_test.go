//go:build !race

package sim_test

const usually = 100_000
