package loadtest

import (
	"context"
	"fmt"
	"time"
)

// Group is a set of processes whose costs are reported under one name.
type Group struct {
	Name string // orchestrator, worker, load, postgres, rabbitmq, …
	// PIDs are the group's processes. Their descendants count with them, except those that belong to another group. If
	// PIDs is empty, the group's costs are unknown.
	PIDs []int
	// Peak also reports the peak resident memory of these processes, without their children. It is meaningful for
	// processes that were started for the run.
	Peak bool
}

// Meter measures the cost of one window, between Begin and End.
type Meter struct {
	Processes Processes
	Groups    []Group
	Postgres  Querier // on a connection that the load does not use; nil: Postgres is not measured

	cpu      map[string]time.Duration
	postgres written
}

// Usage is the cost of a window. Unknown figures are absent.
type Usage struct {
	CPU     map[string]time.Duration // by group
	Unknown []string                 // groups whose CPU time is unknown
	Peak    map[string]int64         // bytes by group: the sum over its processes
	// Postgres covers the whole server: Postgres does not attribute its writes to clients. nil: unknown.
	Postgres *Written
}

// Written counts the work of Postgres.
type Written struct {
	WAL int64 // bytes of write-ahead log
	// Transactions counts the transactions that wrote; each of them had to reach the disk.
	Transactions int64
	// Commits counts the commits in the meter's database, including those of read-only transactions. Postgres counts them
	// up to a second late, at both ends of a window alike: over a few seconds of steady load the error cancels out.
	Commits int64
}

// Begin reads all counters at the start of the window.
func (m *Meter) Begin(ctx context.Context) (err error) {
	m.cpu = m.used()
	if m.Postgres != nil {
		m.postgres, err = writtenSoFar(ctx, m.Postgres)
	}
	return err
}

// End returns the cost since Begin.
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

// used returns the CPU time of each group since its processes began. A group is absent if one of its processes has ended.
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

// ownerOf returns the group of the nearest ancestor that belongs to one. The CPU time of an ended child counts with its
// parent, so short-lived processes are not lost.
func ownerOf(pid int, all map[int]process, owner map[int]string) string {
	for range len(all) { // bounded: a process table that changes while it is read may contain a cycle
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

// written is a reading of the counters of Postgres.
type written struct{ wal, transactions, commits int64 }

func writtenSoFar(ctx context.Context, db Querier) (written, error) {
	var w written
	// Each transaction that writes takes the next transaction id, so the next free id counts them.
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
