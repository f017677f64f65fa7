package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/store"
)

// The URLs are malformed, or lead nowhere.
func TestNoPartOfThePasswordIsInAnError(t *testing.T) {
	t.Parallel()
	const secret = "Sec@ret/99%zz"
	parts := []string{"Sec", "ret", "99", "zz", secret}
	for url, hint := range map[string]string{
		"postgres://app:" + secret + "@127.0.0.1:1/db":                             "%XX",
		"postgresql://app:Sec/ret99zz@127.0.0.1:1/db":                              "%XX",
		"postgres://app:Sec?ret99zz@127.0.0.1:1/db":                                "%XX",
		"postgres://app:Sec#ret99zz@127.0.0.1:1/db":                                "%XX",
		"postgres://app:Sec@ret/99@127.0.0.1:1/zz":                                 "%XX",
		"postgres://app:Sec@ret99zz@127.0.0.1:1/db":                                "%XX",
		"postgres://app@Sec:ret99zz@127.0.0.1:1":                                   "%XX",
		"postgres://app:Sec@ret99zz@127.0.0.1:1?sslmode=disable":                   "%XX",
		"jdbc:postgresql://127.0.0.1:1/db?user=app&password=Secret99zz":            "%XX",
		"mysql://app:Secret99zz@127.0.0.1:1/db":                                    "%XX",
		"postgres://app:Sec ret99zz@127.0.0.1:port/db":                             "%XX",
		"postgres://app:Secret99zz@127.0.0.1:1/db?sslmode=zz99":                    "parameter sslmode",
		"postgres://app:Secret99zz@127.0.0.1:1/db?connect_timeout=zz99":            "parameter connect_timeout",
		"postgres://app:Secret99zz@[127.0.0.1:1/db":                                "%XX",
		"host=127.0.0.1 port=1 user=app password=Sec ret 99zz dbname=db":           "single quotes",
		"host=127.0.0.1 port=1 user=app password='Sec ret 99zz dbname=db":          "single quotes",
		"host=127.0.0.1 port=Sec password=ret99zz":                                 "%XX",
		"app:" + secret + "@127.0.0.1:1/db":                                        "%XX",
		"host=127.0.0.1 port=1 user=app password=Secret99zz dbname=db":             "",
		"postgres://app:Sec%40ret%2F99zz@127.0.0.1:1/db":                           "",
		"postgres://app:Secret99zz@127.0.0.1:1/db?connect_timeout=1&sslmode=allow": "",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, opening := store.Open(ctx, store.Config{DatabaseURL: url})
		migrating := store.Migrate(ctx, url)
		_, asking := store.MigrationStatus(ctx, url)
		refused := []error{opening, migrating, asking, store.MigrateDown(ctx, url)}
		if hint != "" {
			refused = append(refused, store.CheckDatabaseURL(url))
		}
		for _, err := range refused {
			require.Error(t, err, url)
			for _, part := range parts {
				assert.NotContains(t, strings.ReplaceAll(err.Error(), "single quotes", ""), part, url)
			}
			assert.Contains(t, err.Error(), hint)
			if hint != "" {
				require.ErrorIs(t, err, store.ErrDatabaseURL)
			}
		}
	}
}
