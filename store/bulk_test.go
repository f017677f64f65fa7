package store

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestBothFormsOfAStatementTakeTheSameColumns(t *testing.T) {
	t.Parallel()
	ofAll := regexp.MustCompile(`(?:unnest|any)\((\$\d+::[a-z]+\[\])\)`)
	for many, one := range map[string]string{
		insertSagas: insertOneSaga, updateSagas: updateOneSaga, insertDecisions: insertOneDecision,
		insertCommands: insertOneCommand, deleteCommands: deleteOneCommand,
	} {
		assert.Equal(t, ofAll.ReplaceAllString(many, "($1)[1]"), one)
		assert.NotEqual(t, many, one)
	}
}
