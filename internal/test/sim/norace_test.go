//go:build !race

package sim_test

const defaultSagas = 100_000
