package chaos

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func costlyFaults() []scenario {
	isolated := limits{slowest: 10 * time.Second, stall: 5 * time.Second}
	return []scenario{
		{number: 69, name: "conditions that take as long as they may", short: true, inject: evaluateLong, expect: isolated},
		{number: 79, name: "starts whose data takes long to check", short: true, inject: checkLong, expect: isolated},
	}
}

// longCondition is false, and is known to be after 64,000 additions.
func longCondition() string {
	numbers := make([]string, 40)
	for i := range numbers {
		numbers[i] = fmt.Sprint(i)
	}
	list := "[" + strings.Join(numbers, ",") + "]"
	return list + ".exists(x," + list + ".exists(y," + list + ".exists(z,x+y+z>999)))"
}

// evaluateLong starts sagas that evaluate several such conditions once their step has succeeded. Their decisions take far longer
// together than another saga may wait.
func evaluateLong(fx *fixture) int {
	definition := &saga.Definition{Steps: []saga.Step{step("only", "inventory")}}
	for i := range 8 {
		skipped := step(fmt.Sprint("skipped", i), "inventory")
		skipped.When = longCondition()
		definition.Steps = append(definition.Steps, skipped)
	}
	whole := fx.broken()
	fx.definitions["costly"] = definition
	fx.anyAPI(0).must(fx.t, http.MethodPut, "/v1/definitions/costly", definition, nil, http.StatusCreated)
	count := times(60, 20)
	fx.sideBySide(8, count, func(i int) {
		body := map[string]any{"definition": "costly", "data": Data{Number: i}}
		fx.await(time.Minute, "a saga should start although others take long", func() bool {
			var started resource.Saga
			status, err := fx.anyAPI(i).call(http.MethodPost, "/v1/sagas", fmt.Sprint("costly-", i), body, &started)
			if err != nil || status != http.StatusCreated && status != http.StatusOK {
				return false
			}
			fx.load.acknowledged(started.ID, Data{Number: i})
			return true
		})
	})
	fx.await(3*time.Minute, "every saga with long conditions should complete", func() bool {
		return fx.count(`select count(*) from sagas where definition = 'costly' and status = 'completed'`) == count
	})
	whole()
	return count
}

// longCheck is a schema with which the check of 400 numbers compares each with 500 others.
func longCheck() json.RawMessage {
	var others strings.Builder
	for i := range 500 {
		fmt.Fprintf(&others, `{"const":%d},`, -1-i)
	}
	return json.RawMessage(`{"properties":{"list":{"items":{"anyOf":[` + others.String() + `{"type":"integer"}]}}}}`)
}

// checkLong starts such sagas from SQL and by message, all at once, in replicas that do not know their definition yet.
func checkLong(fx *fixture) int {
	definition := &saga.Definition{DataSchema: longCheck(), Steps: []saga.Step{step("only", "inventory")}}
	whole := fx.broken()
	fx.definitions["checked"] = definition
	fx.anyAPI(0).must(fx.t, http.MethodPut, "/v1/definitions/checked", definition, nil, http.StatusCreated)
	numbers := make([]int, 400)
	for i := range numbers {
		numbers[i] = i
	}
	data, err := json.Marshal(map[string]any{"number": 1, "list": numbers})
	require.NoError(fx.t, err)
	count := times(60, 20)
	rows, err := fx.sql.Query(fx.t.Context(), `select saga_start('checked', $1::json) from generate_series(1, $2)`, string(data), count)
	require.NoError(fx.t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(fx.t, err)
	channel := fx.channel()
	require.NoError(fx.t, channel.Confirm(false))
	for i := range count {
		confirm, err := channel.PublishWithDeferredConfirm("", fx.prefix+".start", false, false, amqp.Publishing{
			MessageId: fmt.Sprint("checked-", i), Body: []byte(`{"definition":"checked","data":` + string(data) + `}`), DeliveryMode: amqp.Persistent,
		})
		require.NoError(fx.t, err)
		require.True(fx.t, confirm.Wait())
	}
	fx.await(4*time.Minute, "every saga whose data takes long should complete", func() bool {
		return fx.count(`select count(*) from sagas where definition = 'checked' and status = 'completed'`) == 2*count
	})
	whole()
	rows, err = fx.sql.Query(fx.t.Context(), `select id from sagas where definition = 'checked'`)
	require.NoError(fx.t, err)
	started, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(fx.t, err)
	require.Subset(fx.t, started, ids)
	for _, id := range started {
		fx.load.acknowledged(id, Data{Number: 1})
	}
	return 2 * count
}
