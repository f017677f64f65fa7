package steps

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// HandleTx registers a function like Handle, behind a barrier. The function's work in tx and the record that it was
// done commit together, so the effect happens exactly once. Use HandleTx for both commands of a step or for neither: a
// compensation behind a barrier reverses only effects that went through the barrier.
//
//   - A repeated command gets the first one's reply. Concurrent deliveries wait for each other.
//   - A compensation of a step that took no effect succeeds without a call. The step's command is refused if it comes later.
//   - If the function returns an error or panics, its work is rolled back, and that attempt never takes effect.
//   - Command.Output is the step's output, even if the orchestrator never received it.
//
// The function must not end tx. Effects outside tx are not protected. While the database is unavailable, the worker
// retries the command until its deadline and then sends no reply: an earlier delivery may have taken effect.
//
// HandleTx panics where Handle does, and if the barrier is nil.
func HandleTx[In, Out any](w *Worker, b *Barrier, name string, handle func(context.Context, pgx.Tx, Command[In]) (Out, error)) {
	given(name, b != nil, "barrier")
	handleBehind(w, name, b.begin, handle)
}
