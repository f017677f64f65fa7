// Package archtest holds no code, only a test: it reads the repository's Go files and keeps the rules of its structure,
// who may import whom above all.
package archtest
