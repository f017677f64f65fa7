package chaos

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func costlyFaults() []scenario {
	isolated := limits{slowest: 10 * time.Second, stall: 5 * time.Second}
	return []scenario{
		{number: 69, name: "conditions that take as long as they may", short: true, inject: evaluateLong, expect: isolated},
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
