// Package storetest is the conformance suite of stores: package store against Postgres, and package store/memory with
// and without a file. Each rule is the name of its test.
package storetest
