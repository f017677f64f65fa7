package main

import (
	"fmt"
	"strings"

	"github.com/saga-orchestrator/orchestrator/internal/archive"
)

// archiveCommand is `orchestrator archive`: sagas that retention has deleted.
type archiveCommand struct {
	Find archiveFindCommand `cmd:"" help:"Print a deleted saga with its history, as JSON. It exits with 1 if the archive does not have it."`
}

type archiveFindCommand struct {
	ID         string `arg:"" help:"Id of the saga."`
	ArchiveDir string `required:"" name:"archive-dir" env:"ORCHESTRATOR_ARCHIVE_DIR" type:"existingdir" help:"Directory of the archive."`
}

// Run prints the last state of the saga.
func (c *archiveFindCommand) Run(out *streams) error {
	last, err := archive.Last(c.ArchiveDir, strings.ToUpper(c.ID)) // a ULID may be written in either case
	if err == nil && last == nil {
		err = fmt.Errorf("the archive does not have saga %q", c.ID)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out.out, "%s\n", last)
	return err
}
