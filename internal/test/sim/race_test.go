//go:build race

package sim_test

const defaultSagas = 20_000
