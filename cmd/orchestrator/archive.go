package main

import (
	"fmt"

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

// Run prints every line of the saga: more than one if a server stopped between the writing and the deletion.
func (c *archiveFindCommand) Run(out *streams) error {
	found := 0
	err := archive.Find(c.ArchiveDir, c.ID, func(line []byte) error {
		found++
		_, err := fmt.Fprintf(out.out, "%s\n", line)
		return err
	})
	if err == nil && found == 0 {
		err = fmt.Errorf("the archive does not have saga %q", c.ID)
	}
	return err
}
