// Package archive keeps lines of JSON in files, one for each day: gzip members that are appended and synced. The day is that
// of the writing, in UTC.
package archive

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	prefix = "sagas-"
	suffix = ".jsonl.gz"
)

// Directory is an archive. It is safe for concurrent use, also by several processes of one machine.
type Directory struct {
	path string
	now  func() time.Time
	mu   sync.Mutex
}

// Open returns the archive in a directory, which is created if it does not exist. now nil: time.Now.
func Open(path string, now func() time.Time) (*Directory, error) {
	if now == nil {
		now = time.Now
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("create the archive: %w", err)
	}
	return &Directory{path: path, now: now}, nil
}

// Append appends lines to the file of the day, as one gzip member. It returns after they are on disk. After an error, or a
// crash, the file may end with a part of a member; Find skips it.
func (d *Directory) Append(lines [][]byte) (err error) {
	var member bytes.Buffer
	packed := gzip.NewWriter(&member)
	for _, line := range lines {
		if _, err := packed.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("compress: %w", err)
		}
	}
	if err := packed.Close(); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	path := filepath.Join(d.path, prefix+d.now().UTC().Format(time.DateOnly)+suffix)
	_, missing := os.Stat(path)
	if err := appendTo(path, member.Bytes()); err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	if missing != nil {
		return syncDirectory(d.path)
	}
	return nil
}

func appendTo(path string, member []byte) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600) //nolint:gosec // the operator names the directory
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(member); err != nil {
		return err
	}
	return file.Sync()
}

// syncDirectory makes a new file's name durable.
func syncDirectory(path string) error {
	directory, err := os.Open(path) //nolint:gosec // the operator names the directory
	if err != nil {
		return fmt.Errorf("sync the archive: %w", err)
	}
	return errors.Join(directory.Sync(), directory.Close())
}
