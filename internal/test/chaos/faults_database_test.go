package chaos

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env/pgproxy"
)

// databaseFaults are answers that a server, a pooler or a proxy may give in the place of Postgres.
func databaseFaults() []scenario {
	return []scenario{
		{number: 64, name: "the database answers with errors of every class", short: true, inject: answerWithErrors, arrange: throughPostgresPeer},
		{number: 65, name: "the database rejects writes, as after a demotion", inject: demote, arrange: throughPostgresPeer, storeAway: true},
		{
			number: 78, name: "changes of sagas are refused, and starts are not", short: true, inject: refuseChanges, verify: noneIsCompensated,
			// After it, timers wait for the replies.
			storeAway: true, expect: limits{late: 6 * time.Second},
		},
		{
			number: 80, name: "each replica in turn cannot change sagas", inject: refuseEach, arrange: ownRoles, migrated: true, verify: noneIsCompensated,
			expect: limits{slowest: 10 * time.Second, stall: 5 * time.Second, late: 4 * time.Second},
		},
	}
}

func throughPostgresPeer(fx *fixture) {
	var err error
	fx.postgresPeer, fx.replicaDatabase, err = pgproxy.Start(fx.database)
	require.NoError(fx.t, err)
	fx.t.Cleanup(fx.postgresPeer.Close)
}

// serverFaults are errors about the server, other transactions or resources: all are temporary. Errors about the
// content of a statement (classes 22 and 23) depend on the content, so a proxy cannot invent them.
func serverFaults() []pgproxy.Fault {
	return []pgproxy.Fault{
		{Code: "08006", Fatal: true},
		{Code: "08P01"},
		{Code: "25P02"},
		{Code: "25006"},
		{Code: "26000"},
		{Code: "0A000"},
		{Code: "34000"},
		{Code: "40001"},
		{Code: "40P01"},
		{Code: "42P01"},
		{Code: "53100"},
		{Code: "53200"},
		{Code: "53300", Fatal: true},
		{Code: "54000"},
		{Code: "55P03"},
		{Code: "55006"},
		{Code: "57014"},
		{Code: "57P01", Fatal: true},
		{Code: "57P02", Fatal: true},
		{Code: "57P03", Fatal: true},
		{Code: "58030"},
		{Code: "F0001"},
		{Code: "XX000"},
		{Code: "XX001"},
	}
}

func answerWithErrors(fx *fixture) int {
	whole := fx.broken()
	random, faults := rand.New(rand.NewPCG(fx.seed, 64)), serverFaults()
	var mu sync.Mutex
	var answered atomic.Int64
	fx.postgresPeer.Fail(func(string) *pgproxy.Fault {
		mu.Lock()
		defer mu.Unlock()
		if random.Float64() > 0.02 {
			return nil
		}
		answered.Add(1)
		return &faults[random.IntN(len(faults))]
	})
	fx.let(lasting(30*time.Second, 6*time.Second))
	fx.postgresPeer.Fail(nil)
	whole()
	return int(answered.Load())
}

// demote refuses every statement that writes, as a demoted server does on its remaining sessions.
func demote(fx *fixture) int {
	whole := fx.broken()
	var refused atomic.Int64
	fx.postgresPeer.Fail(func(statements string) *pgproxy.Fault {
		words := strings.ToLower(statements)
		if strings.Contains(words, "select ") && !strings.Contains(words, "for update") && !strings.Contains(words, "insert ") &&
			!strings.Contains(words, "update ") && !strings.Contains(words, "delete ") {
			return nil
		}
		refused.Add(1)
		return &pgproxy.Fault{Code: "25006"}
	})
	fx.await(10*time.Second, "a replica without writes should not be ready", func() bool {
		status, err := fx.anyAPI(0).call(http.MethodGet, "/readyz", "", nil, nil)
		return err == nil && status == http.StatusServiceUnavailable
	})
	fx.let(lasting(10*time.Second, 3*time.Second))
	fx.postgresPeer.Fail(nil)
	fx.ready()
	whole()
	return int(refused.Load())
}

// refuseChanges lets a trigger refuse changes of sagas, as a full disk or a lost right does. Workers answer meanwhile, and the time of
// their attempts runs out.
func refuseChanges(fx *fixture) int {
	whole := fx.broken()
	change := func(statement string) {
		_, err := fx.sql.Exec(fx.t.Context(), statement)
		require.NoError(fx.t, err)
	}
	change(`create function refuse_changes() returns trigger language plpgsql as
			$$ begin raise exception 'no space left' using errcode = '53100'; end $$;
		create trigger refuse_changes before update on sagas for each row execute function refuse_changes()`)
	fx.await(15*time.Second, "replicas that can change no saga should not be ready", func() bool {
		status, err := fx.anyAPI(0).call(http.MethodGet, "/readyz", "", nil, nil)
		return err == nil && status == http.StatusServiceUnavailable
	})
	fx.let(lasting(40*time.Second, 12*time.Second))
	change(`drop trigger refuse_changes on sagas`)
	fx.ready()
	whole()
	return 1
}

// noneIsCompensated reports the sagas that the fault alone turned around: each of their commands was answered.
func noneIsCompensated(fx *fixture, e evidence) []string {
	return unequal("sagas that the fault turned around", fx.unscripted(e), 0)
}

// ownRoles gives each replica a role of its own, which has all rights.
func ownRoles(fx *fixture) {
	fx.migrateUp()
	for i := range fx.scenario.replicaCount() {
		u, err := url.Parse(fx.database)
		require.NoError(fx.t, err)
		role := strings.TrimPrefix(u.Path, "/") + "_" + strconv.Itoa(i)
		fx.inDatabase(`create role ` + role + ` login password 'x'; grant all on all tables in schema public to ` + role + `;
			grant all on all sequences in schema public to ` + role + `; grant execute on all functions in schema public to ` + role)
		u.User = url.UserPassword(role, "x")
		fx.ownDatabases, fx.ownRoles = append(fx.ownDatabases, u.String()), append(fx.ownRoles, role)
	}
	fx.t.Cleanup(func() {
		for _, role := range fx.ownRoles {
			fx.inDatabase(`drop owned by ` + role + `; drop role ` + role)
		}
	})
}

// inDatabase runs statements in the orchestrator's database, as its owner.
func (fx *fixture) inDatabase(statements string) {
	conn, err := pgx.Connect(context.Background(), fx.database)
	require.NoError(fx.t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), statements)
	require.NoError(fx.t, err, statements)
}

// refuseEach takes the right to change sagas from one replica after the other. One of them is that to which the broker gives the replies.
func refuseEach(fx *fixture) int {
	for i, role := range fx.ownRoles {
		whole := fx.broken()
		fx.inDatabase(`revoke update on sagas from ` + role)
		fx.await(15*time.Second, "a replica that can change no saga should not be ready", func() bool {
			status, err := fx.apis[i].call(http.MethodGet, "/readyz", "", nil, nil)
			return err == nil && status == http.StatusServiceUnavailable
		})
		fx.let(lasting(20*time.Second, 8*time.Second))
		fx.inDatabase(`grant update on sagas to ` + role)
		fx.ready()
		whole()
		fx.let(3 * time.Second)
	}
	return len(fx.ownRoles)
}
