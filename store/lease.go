package store

import (
	"context"
	"fmt"
	"time"
)

// longestLease is far longer than any lease that a replica takes. One that ends later was written by hand, or before the database's
// clock was set back.
const longestLease = 5 * time.Minute

// HoldLease takes or renews a lease. It returns false while another holder has it.
func (s *Store) HoldLease(ctx context.Context, name, holder string, lease time.Duration) (held bool, err error) {
	done, err := s.pool.Exec(ctx, `insert into leases as l (name, holder, claimed_until) values ($1, $2, clock_timestamp() + $3::interval)
		on conflict (name) do update set holder = excluded.holder, claimed_until = excluded.claimed_until
		where l.holder = excluded.holder or coalesce(l.claimed_until not between clock_timestamp() and clock_timestamp() + $4::interval, true)`,
		name, holder, lease, max(longestLease, 2*lease))
	if err != nil {
		return false, fmt.Errorf("take the lease %s: %w", name, err)
	}
	return done.RowsAffected() == 1, nil
}
