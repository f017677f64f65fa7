package store

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// maxNesting bounds the nesting of a stored document that is shown as such. Go refuses 10,000 levels, and answers add some. What
// comes by the API nests far less.
const maxNesting = 9_000

// checkNesting returns an error for a document that nests too deeply to be shown. It reads only those that may.
func checkNesting(document []byte) error {
	text := string(document)
	if len(text) > maxNesting && strings.Count(text, "{")+strings.Count(text, "[") > maxNesting && saga.JSONDepth(document) > maxNesting {
		return fmt.Errorf("it nests deeper than %d levels", maxNesting)
	}
	return nil
}

// showable returns a document, or the beginning of its text if it nests too deeply.
func showable(document []byte) json.RawMessage {
	if checkNesting(document) == nil {
		return document
	}
	encoded, err := saga.EncodeJSON(cleaned(string(document[:min(len(document), maxUnreadable)])))
	if err != nil {
		return nil // impossible: a text can be encoded
	}
	return encoded
}
