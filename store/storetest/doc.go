// Package storetest says what a store must do, as tests that every store runs: package store against Postgres, package
// store/memory with and without a file. A rule stands as the name of its test.
//
// It may import saga, internal/record, steps/wire and the test libraries.
package storetest
