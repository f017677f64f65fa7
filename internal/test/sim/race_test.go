//go:build race

package sim_test

const usually = 20_000
