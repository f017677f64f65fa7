package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

const (
	// followed is the time after which every replica goes by new settings, except one that cannot read them.
	followed = 500 * time.Millisecond
	// countAgain is the time after which the commands that are out are counted again, for the sake of such a replica. It
	// is longer than the lease of what that one may have had in memory.
	countAgain = 4 * time.Second
)

// gauge is a row of queue_settings, as of the transaction.
type gauge struct {
	record.QueueSettings
	tokens    float64 // now
	counting  bool    // the commands that are out must be counted first
	unsettled bool    // replicas may not know the settings yet
}

// controlledSince is the column if it can be calculated with.
const controlledSince = `case when controlled_since` + usable + ` then controlled_since end`

// readGauge locks the settings, so that one replica at a time releases commands of the queue. mine is false while another
// one does. A queue without settings needs no lock. Times that are ahead, because a clock was set back or a row was edited,
// hold nothing back.
func readGauge(ctx context.Context, tx pgx.Tx, queue string) (g gauge, mine bool, err error) {
	var counted bool
	err = tx.QueryRow(ctx, `select coalesce(paused, false), greatest(max_out, 0), `+usableRate+`, `+usableTokens+` + case when isfinite(tokens_at) and tokens_at <= now()
				then extract(epoch from now() - tokens_at) * `+usableRate+` else 1 end,
			coalesce(counted_at >= `+controlledSince+` + $2::interval, false)
				or counted_at is not null and coalesce(now() < `+controlledSince+` + $2::interval, true),
			coalesce(now() < `+controlledSince+` + $3::interval and controlled_since <= now(), false)
		from queue_settings where queue = $1 for update skip locked`, queue, countAgain, followed).
		Scan(&g.Paused, &g.MaxOut, &g.Rate, &g.tokens, &counted, &g.unsettled)
	if errors.Is(err, pgx.ErrNoRows) {
		err = tx.QueryRow(ctx, `select not exists (select from queue_settings where queue = $1)`, queue).Scan(&mine)
		return gauge{}, mine, err
	}
	g.counting = g.MaxOut > 0 && !counted
	g.tokens = min(g.tokens, g.Burst())
	return g, true, err
}

// allowance returns how many commands may leave that need a place or a token.
func allowance(ctx context.Context, tx pgx.Tx, claim record.HeldClaim, g gauge, known *steps) (int, error) {
	allowed := claim.Limit
	if g.Rate > 0 {
		allowed = min(allowed, int(g.tokens))
	}
	if g.MaxOut == 0 || allowed <= 0 {
		return allowed, nil
	}
	if g.unsettled {
		return 0, nil
	}
	out, err := countPlaces(ctx, tx, claim.Queue)
	if err != nil || out >= g.MaxOut {
		return 0, err
	}
	if g.counting && known == nil {
		return 0, errUncounted
	}
	if g.counting {
		if out, err = recount(ctx, tx, claim.Queue, known, g.MaxOut); err != nil {
			return 0, err
		}
	}
	return max(0, min(allowed, g.MaxOut-out)), nil
}
