package store_test

import (
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/migrations"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// withGoose uses a database with goose's default table of versions, as other programs and earlier builds of this one
// do.
func withGoose(t *testing.T, url string, files fstest.MapFS, use func(*goose.Provider)) {
	t.Helper()
	settings, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	db := stdlib.OpenDB(*settings)
	defer func() { require.NoError(t, db.Close()) }()
	p, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithDisableGlobalRegistry(true))
	require.NoError(t, err)
	use(p)
}

// shop are the migrations of another program.
func shop() fstest.MapFS {
	return fstest.MapFS{
		"00001_shop.sql":   {Data: []byte("-- +goose Up\ncreate table shop (id int);\n")},
		"00002_prices.sql": {Data: []byte("-- +goose Up\ncreate table prices (id int);\n")},
	}
}

func migrateShop(t *testing.T, url string) {
	t.Helper()
	withGoose(t, url, shop(), func(p *goose.Provider) {
		_, err := p.Up(t.Context())
		require.NoError(t, err)
	})
}

func booked(t *testing.T, url string) []string {
	t.Helper()
	return texts(t, url, `select version_id::text || ' ' || is_applied::text || ' ' || tstamp::text from goose_db_version order by id`)
}

func requireBoth(t *testing.T, url string) {
	t.Helper()
	assert.Subset(t, tablesOf(objects(t, url)), []string{"shop", "prices", "sagas", "installation"})
	s := open(t, store.Config{DatabaseURL: url})
	require.NoError(t, s.CheckSchema(t.Context()))
	storetest.NewFixture(t, s).Start(saga.Start{})
}

func TestAnotherProgramsMigrationsBeforeOursDoNotInterfere(t *testing.T) {
	t.Parallel()
	url := env.Database(t)
	migrateShop(t, url)
	before := booked(t, url)
	s := open(t, store.Config{DatabaseURL: url})
	require.ErrorIs(t, s.CheckSchema(t.Context()), store.ErrSchemaBehind)
	require.NoError(t, store.Migrate(t.Context(), url))
	requireBoth(t, url)
	assert.Equal(t, before, booked(t, url))
}

func TestAnotherProgramsMigrationsAfterOursRun(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	migrateShop(t, url)
	requireBoth(t, url)
	require.NoError(t, store.Migrate(t.Context(), url))
}

// The database has the table of an earlier build, alone and with another program's migrations in it.
func TestTheVersionsOfAnEarlierBuildAreTakenOver(t *testing.T) {
	t.Parallel()
	for name, shared := range map[string]bool{"alone": false, "shared": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := env.Database(t)
			first, err := migrations.FS.ReadFile("00001_initial.sql")
			require.NoError(t, err)
			withGoose(t, url, fstest.MapFS{"00001_initial.sql": {Data: first}}, func(p *goose.Provider) {
				_, err := p.Up(t.Context())
				require.NoError(t, err)
			})
			if shared { // the other program has skipped its first one
				migrateShop(t, url)
			}
			before := booked(t, url)
			s := open(t, store.Config{DatabaseURL: url})
			require.ErrorIs(t, s.CheckSchema(t.Context()), store.ErrSchemaBehind)
			require.NoError(t, store.Migrate(t.Context(), url))
			require.NoError(t, s.CheckSchema(t.Context()))
			assert.Equal(t, before, booked(t, url), "the earlier build still reads it")
			status, err := store.MigrationStatus(t.Context(), url)
			require.NoError(t, err)
			for _, m := range status {
				assert.False(t, m.AppliedAt.IsZero())
			}
			storetest.NewFixture(t, s).Start(saga.Start{})
		})
	}
}

func TestTheSchemaIsCheckedByItsTables(t *testing.T) {
	t.Parallel()
	for _, change := range []string{
		`drop table installation`, `alter table sagas drop column write_token cascade`, `drop table saga_schema_version`,
		`alter table outbox rename to inbox`, `delete from saga_schema_version where version_id >= 2`,
	} {
		url := migrated(t)
		s := open(t, store.Config{DatabaseURL: url})
		require.NoError(t, s.CheckSchema(t.Context()))
		damage{t, connect(t, url)}.exec(change)
		require.ErrorIs(t, s.CheckSchema(t.Context()), store.ErrSchemaBehind, change)
	}
}

// Readiness says so, too, if it happens while this program runs.
func TestADatabaseWithoutOurTablesIsNotReady(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, store.Config{DatabaseURL: url})
	for _, change := range [][2]string{
		{`alter table sagas rename to others`, `alter table others rename to sagas`},
		{`alter table events rename column sink to drain`, `alter table events rename column drain to sink`},
		{`alter schema public rename to elsewhere`, `alter schema elsewhere rename to public`},
	} {
		require.NoError(t, s.Ping(t.Context()))
		damage{t, connect(t, url)}.exec(change[0])
		err := s.Ping(t.Context())
		require.ErrorIs(t, err, store.ErrSchemaBehind, change[0])
		var public interface{ Public() string }
		require.ErrorAs(t, err, &public)
		damage{t, connect(t, url)}.exec(change[1])
	}
}

func TestEveryDatabaseHasAnInstallationOfItsOwn(t *testing.T) {
	t.Parallel()
	ids := make(map[string]bool)
	for range 2 {
		url := migrated(t)
		for range 2 {
			id, err := open(t, store.Config{DatabaseURL: url}).Installation(t.Context())
			require.NoError(t, err)
			ids[id] = true
		}
	}
	assert.Len(t, ids, 2)
}
