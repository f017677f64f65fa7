package archive

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// memberStart are the bytes with which Append begins a member: no name, no time, any system.
const memberStart = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// Last returns the line of the saga's last state, the one with the highest revision; nil if there is none. A saga has several
// lines if a server stopped between the writing and the deletion, or if it changed in between. The last line need not be the
// last state: a server that was held up may have written it.
func Last(path, sagaID string) (last []byte, err error) {
	var revision int64
	err = Find(path, sagaID, func(line []byte) error {
		if now := headOf(line).Revision; now >= revision {
			last, revision = bytes.Clone(line), now
		}
		return nil
	})
	return last, err
}

// Find calls take with every line of the saga, oldest file first. It skips what a crash has left of a member: its sagas
// were not deleted then.
func Find(path, sagaID string, take func(line []byte) error) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("read the archive: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(path, prefix+"*"+suffix))
	if err != nil {
		return fmt.Errorf("list the archive: %w", err)
	}
	for _, name := range files {
		if err := findIn(name, sagaID, take); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	return nil
}

func findIn(name, sagaID string, take func(line []byte) error) (err error) {
	file, err := os.Open(name) //nolint:gosec // the operator names the directory
	if err != nil {
		return err
	}
	defer file.Close()
	for at := int64(0); ; {
		found, size, err := member(file, at)
		switch {
		case errors.Is(err, errDamaged):
			if at, err = nextStart(file, at+1); err != nil || at < 0 {
				return err
			}
			continue
		case err != nil || size == 0:
			return err
		}
		at += size
		for line := range bytes.Lines(found) {
			if line = bytes.TrimSuffix(line, []byte("\n")); headOf(line).ID == sagaID {
				if err := take(line); err != nil {
					return err
				}
			}
		}
	}
}

// head is what identifies the state of a saga.
type head struct {
	ID       string `json:"id"`
	Revision int64  `json:"revision"`
}

// headOf returns the head of the saga of a line. What is not a saga has none.
func headOf(line []byte) head {
	var archived struct {
		Saga head `json:"saga"`
	}
	if err := json.Unmarshal(line, &archived); err != nil {
		return head{}
	}
	return archived.Saga
}

var errDamaged = errors.New("a part of a member")

// member returns the content of the member at an offset, and its size in the file, 0 at the end of the file.
func member(file io.ReaderAt, at int64) (content []byte, size int64, err error) {
	counted := &counter{Reader: bufio.NewReader(io.NewSectionReader(file, at, 1<<62))}
	packed, err := gzip.NewReader(counted)
	if errors.Is(err, io.EOF) && counted.read == 0 {
		return nil, 0, nil
	}
	if err == nil {
		packed.Multistream(false)
		content, err = io.ReadAll(packed)
	}
	if fault, is := errors.AsType[*os.PathError](err); is {
		return nil, 0, fault
	}
	if err != nil {
		return nil, 0, errDamaged
	}
	return content, counted.read, nil
}

// counter counts the bytes that gzip reads. It has ReadByte, so gzip reads no further than the member.
type counter struct {
	*bufio.Reader
	read int64
}

func (c *counter) Read(into []byte) (int, error) {
	n, err := c.Reader.Read(into)
	c.read += int64(n)
	return n, err
}

func (c *counter) ReadByte() (byte, error) {
	one, err := c.Reader.ReadByte()
	if err == nil {
		c.read++
	}
	return one, err
}

// nextStart returns the offset of the next member, -1 if there is none.
func nextStart(file io.ReaderAt, at int64) (int64, error) {
	block := make([]byte, 1<<16)
	for {
		n, err := file.ReadAt(block, at)
		if found := bytes.Index(block[:n], []byte(memberStart)); found >= 0 {
			return at + int64(found), nil
		}
		if errors.Is(err, io.EOF) {
			return -1, nil
		}
		if err != nil {
			return -1, err
		}
		at += int64(n - len(memberStart) + 1)
	}
}
