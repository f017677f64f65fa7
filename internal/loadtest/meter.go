package loadtest

import (
	"context"
	"fmt"
	"time"
)

// Group is processes whose costs are told under one name.
type Group struct {
	Name string // orchestrator, worker, load, postgres, rabbitmq, …
	// PIDs are its processes. All that they have started count with them, but for what belongs to another group. None:
	// its costs are not known.
	PIDs []int
	// Peak also tells the most memory that they have had resident, their children apart: for processes that were started
	// for the run.
	Peak bool
}

// Meter measures what is spent between Begin and End. A meter serves one window.
type Meter struct {
	Processes Processes
	Groups    []Group
	Postgres  Querier // nil: nothing is known of it. Its connection must not be one that the load uses.

	cpu      map[string]time.Duration
	postgres written
}

// Usage is what was spent in a window. What is not known is not there.
type Usage struct {
	CPU     map[string]time.Duration // by the name of the group
	Unknown []string                 // groups whose CPU is not known
	Peak    map[string]int64         // bytes, by the name of the group; of several processes together
	// Postgres is what the whole server wrote: nothing says who had it written.
	Postgres *Written
}

// Written is what Postgres did.
type Written struct {
	WAL int64 // bytes of write-ahead log
	// Transactions are those that wrote something; each of them had to reach the disk.
	Transactions int64
	// Commits are those of the meter's own database, the ones that only read included. Postgres counts them with up to a
	// second's delay, the same at both ends of a window: over a few seconds of steady load that is of no matter.
	Commits int64
}

// Begin takes down where everything stands.
func (m *Meter) Begin(ctx context.Context) (err error) {
	m.cpu = m.used()
	if m.Postgres != nil {
		m.postgres, err = writtenSoFar(ctx, m.Postgres)
	}
	return err
}

// End says what was spent since Begin.
func (m *Meter) End(ctx context.Context) (Usage, error) {
	usage := Usage{CPU: make(map[string]time.Duration), Peak: make(map[string]int64)}
	now := m.used()
	for _, group := range m.Groups {
		before, knownBefore := m.cpu[group.Name]
		after, known := now[group.Name]
		if !known || !knownBefore {
			usage.Unknown = append(usage.Unknown, group.Name)
			continue
		}
		usage.CPU[group.Name] = after - before
		for _, pid := range group.PIDs {
			if bytes := m.Processes.Peak(pid); group.Peak && bytes > 0 {
				usage.Peak[group.Name] += bytes
			}
		}
	}
	if m.Postgres == nil {
		return usage, nil
	}
	after, err := writtenSoFar(ctx, m.Postgres)
	if err != nil {
		return usage, err
	}
	usage.Postgres = after.since(m.postgres)
	return usage, nil
}

// used is the CPU that each group has used since its processes began. A group of which a process is gone is not there.
func (m *Meter) used() map[string]time.Duration {
	all := m.Processes.all()
	owner := make(map[int]string)
	for _, group := range m.Groups {
		for _, pid := range group.PIDs {
			owner[pid] = group.Name
		}
	}
	spent := make(map[string]time.Duration)
	for pid, one := range all {
		if name := ownerOf(pid, all, owner); name != "" {
			spent[name] += one.cpu
		}
	}
	for pid, name := range owner {
		if _, there := all[pid]; !there {
			delete(spent, name)
		}
	}
	return spent
}

// ownerOf is the group of the nearest ancestor that belongs to one. A child that ends is from then on in the CPU of its
// parent, so that what the short-lived have used is not lost.
func ownerOf(pid int, all map[int]process, owner map[int]string) string {
	for range len(all) { // a table read while it changes might hold a circle
		if name, owned := owner[pid]; owned {
			return name
		}
		one, there := all[pid]
		if !there {
			return ""
		}
		pid = one.parent
	}
	return ""
}

// written is where the counters of Postgres stand.
type written struct{ wal, transactions, commits int64 }

func writtenSoFar(ctx context.Context, db Querier) (written, error) {
	var w written
	// A transaction that writes takes the next number: the first one that is not given yet counts them all.
	err := db.QueryRow(ctx, `SELECT (pg_current_wal_lsn() - '0/0')::int8, pg_snapshot_xmax(pg_current_snapshot())::text::int8,
		(SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())`).Scan(&w.wal, &w.transactions, &w.commits)
	if err != nil {
		return w, fmt.Errorf("ask Postgres what it has written: %w", err)
	}
	return w, nil
}

func (w written) since(before written) *Written {
	return &Written{
		WAL: w.wal - before.wal, Transactions: w.transactions - before.transactions, Commits: w.commits - before.commits,
	}
}
