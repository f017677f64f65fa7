package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// PutWebhook stores a webhook. It keeps the secret of an existing one unless the new one has a secret. created is false if
// it existed. Errors: record.ErrTooManyWebhooks.
func (s *Store) PutWebhook(ctx context.Context, hook record.Webhook, otherwise []byte) (kept record.Webhook, created bool, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `lock table webhooks in share row exclusive mode`); err != nil {
			return err
		}
		var others int
		if err := tx.QueryRow(ctx, `select count(*), not bool_or(name = $1) is true from webhooks`, hook.Name).Scan(&others, &created); err != nil {
			return err
		}
		if created && others >= record.MaxWebhooks {
			return record.ErrTooManyWebhooks
		}
		var secret []byte
		if len(hook.Secret) > 0 {
			secret = hook.Secret
		}
		var known *record.Webhook
		if !created {
			before, err := webhook(ctx, tx, hook.Name)
			if err != nil {
				return err
			}
			known = &before
		}
		if _, err := tx.Exec(ctx, `insert into webhooks as w (name, url, events, secret) values ($1, $2, $3, coalesce($4::bytea, $5::bytea))
			on conflict (name) do update set url = excluded.url, events = excluded.events, updated_at = clock_timestamp(),
				secret = coalesce($4::bytea, w.secret)`, hook.Name, hook.URL, hook.Events, secret, otherwise); err != nil {
			return err
		}
		if kept, err = webhook(ctx, tx, hook.Name); err != nil {
			return err
		}
		before, after, changed := kept.AuditedChange(known)
		if !changed {
			return nil
		}
		return s.audit(ctx, tx, "webhook.put", "webhooks/"+hook.Name, "", before, after)
	})
	if err != nil {
		return record.Webhook{}, false, fmt.Errorf("store webhook %s: %w", hook.Name, err)
	}
	return kept, created, nil
}

// Bounds of what SQL may have stored of a webhook, in bytes. A longer text is cut, and no delivery goes to a longer URL.
const (
	maxStoredURL   = 8 << 10
	maxStoredError = 4 << 10
)

// storedEvents are the types of events of a webhook w, without what cannot be one.
const storedEvents = `array(select e from unnest(w.events) e where octet_length(e) <= 100 limit 1000)`

func webhookColumns() string {
	return `w.name, coalesce(` + boundedText("w.url", maxStoredURL) + `, ''), coalesce(octet_length(w.url) > ` + strconv.Itoa(maxStoredURL) + `, false),
		` + storedEvents + `, w.secret, w.created_at, w.updated_at, w.last_at, coalesce(` + boundedText("w.last_error", maxStoredError) + `, ''),
		(select count(*) from webhook_deliveries d where d.webhook = w.name),
		(select min(d.created_at) filter (where d.created_at` + usable + `) from webhook_deliveries d where d.webhook = w.name)`
}

func scanWebhook(row pgx.CollectableRow) (w record.Webhook, err error) {
	err = row.Scan(&w.Name, &w.URL, &w.URLTooLong, &w.Events, &w.Secret, timeInto{&w.CreatedAt}, timeInto{&w.UpdatedAt}, timeInto{&w.LastAt}, &w.LastError,
		&w.Waiting, timeInto{&w.Oldest})
	return w, err
}

func webhook(ctx context.Context, q queryer, name string) (record.Webhook, error) {
	rows, err := q.Query(ctx, `select `+webhookColumns()+` from webhooks w where w.name = $1`, name)
	if err != nil {
		return record.Webhook{}, err
	}
	found, err := pgx.CollectExactlyOneRow(rows, scanWebhook)
	if err == pgx.ErrNoRows { //nolint:errorlint // pgx returns it as it is
		err = record.ErrWebhookNotFound
	}
	return found, err
}

// Webhook returns a webhook. Errors: record.ErrWebhookNotFound.
func (s *Store) Webhook(ctx context.Context, name string) (found record.Webhook, err error) {
	if !storable(name) {
		return found, fmt.Errorf("read a webhook: %w", record.ErrWebhookNotFound)
	}
	err = s.look(ctx, func(ctx context.Context, q queryer) error {
		found, err = webhook(ctx, q, name)
		return err
	})
	if err != nil {
		return record.Webhook{}, fmt.Errorf("read webhook %s: %w", name, err)
	}
	return found, nil
}

// Webhooks returns all webhooks by name. The list ends at record.PageBytes: SQL can store any number of them.
func (s *Store) Webhooks(ctx context.Context) (found []record.Webhook, err error) {
	err = s.look(ctx, func(ctx context.Context, q queryer) error {
		rows, err := q.Query(ctx, `select `+webhookColumns()+` from webhooks w order by w.name`)
		if err != nil {
			return err
		}
		cut := newPageCut[record.Webhook](record.Page{})
		_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (none struct{}, err error) {
			w, err := scanWebhook(row)
			cut.add(w, len(w.Name)+len(w.URL)+len(w.LastError)+len(strings.Join(w.Events, ",")))
			return none, err
		})
		found, _ = cut.page(func(w *record.Webhook) string { return w.Name })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	return found, nil
}

// WebhookEvents returns the names of all webhooks with the types of events that each wants.
func (s *Store) WebhookEvents(ctx context.Context) (wanted map[string][]string, err error) {
	rows, err := s.pool.Query(ctx, `select w.name, `+storedEvents+` from webhooks w`)
	wanted = make(map[string][]string)
	if err == nil {
		var name string
		var events []string
		_, err = pgx.ForEachRow(rows, []any{&name, &events}, func() error {
			wanted[name] = append([]string(nil), events...)
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read what webhooks want: %w", err)
	}
	return wanted, nil
}

// DeleteWebhook deletes a webhook with its deliveries. Errors: record.ErrWebhookNotFound.
func (s *Store) DeleteWebhook(ctx context.Context, name string) error {
	if !storable(name) {
		return fmt.Errorf("delete a webhook: %w", record.ErrWebhookNotFound)
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		known, err := webhook(ctx, tx, name)
		if err != nil {
			return err
		}
		done, err := tx.Exec(ctx, `delete from webhooks where name = $1`, name)
		if err != nil {
			return err
		}
		if done.RowsAffected() == 0 {
			return record.ErrWebhookNotFound
		}
		return s.audit(ctx, tx, "webhook.delete", "webhooks/"+name, "", known.Audited(), nil)
	})
	if err != nil {
		return fmt.Errorf("delete webhook %s: %w", name, err)
	}
	return nil
}
