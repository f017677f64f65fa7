package memory

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"
)

const defaultLease = 3 * time.Second

// ErrClosed means that the store was closed.
var ErrClosed = errors.New("the store is closed")

// Config configures a store. The zero value keeps sagas in memory only, by the system's clock.
type Config struct {
	// Now is the clock. nil: time.Now.
	Now func() time.Time
	// File is the path of the file that every change is written to. Empty: none. Only one process at a time can open
	// it.
	File string
	// Fresh deletes the content of the file.
	Fresh bool
	// LeaseFor is how long a replica may take to publish a command before it is claimed again. 0: 3 s.
	LeaseFor time.Duration
}

// Store keeps sagas in memory. It is safe for concurrent use.
type Store struct {
	clock        func() time.Time
	lease        time.Duration
	installation string

	mu     sync.RWMutex
	tables tables
	file   *file // nil: none
	closed bool
}

// Open returns a store with the content of its file. Close it after use.
func Open(config Config) (*Store, error) {
	s := &Store{clock: config.Now, lease: config.LeaseFor, tables: newTables()}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.lease <= 0 {
		s.lease = defaultLease
	}
	s.installation = rand.Text()
	if config.File == "" {
		return s, nil
	}
	opened, err := openFile(config.File, config.Fresh)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", config.File, err)
	}
	if err := opened.load(&s.tables); err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", config.File, err), opened.close())
	}
	if s.installation, err = opened.installation(s.installation); err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", config.File, err), opened.close())
	}
	s.file = opened
	return s, nil
}

// Ping returns ErrClosed if the store was closed.
func (s *Store) Ping(context.Context) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	return nil
}

// Close closes the file.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.file == nil {
		return nil
	}
	return s.file.close()
}

func (s *Store) now() time.Time { return micro(s.clock()) }

// micro returns the time with the precision of every store.
func micro(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// write collects the changes that change makes and applies them, in the file first, then in memory. After an error
// nothing has changed.
func (s *Store) write(ctx context.Context, change func(*writing) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &writing{tables: &s.tables}
	if err := change(w); err != nil {
		return err
	}
	if s.file != nil && len(w.changes) > 0 {
		if err := s.file.write(w.changes); err != nil {
			return fmt.Errorf("write the file: %w", err)
		}
	}
	for _, change := range w.changes {
		change.apply()
	}
	return nil
}

// TryChange reports whether the store is open: nothing else refuses changes.
func (s *Store) TryChange(ctx context.Context, _ string) error {
	return s.write(ctx, func(*writing) error { return nil })
}
