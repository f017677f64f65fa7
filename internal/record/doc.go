// Package record holds the plain types that the engine, the stores and the API share: batches and their changes, history
// entries, dead letters, API keys, and the filters and pages of reads. The interfaces that use them stand with their
// consumers.
package record
