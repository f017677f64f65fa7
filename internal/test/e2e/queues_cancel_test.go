package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// A saga that turns back takes back what the settings of a queue hold back: by a cancel at once, and because another step
// failed soon after. Nothing of it reaches a worker.
func TestASagaThatTurnsBackTakesBackWhatAQueueHolds(t *testing.T) {
	t.Parallel()
	fx := newFixture(t)
	_, a := fx.serve(freeAddress(t))
	_, b := fx.serve(freeAddress(t))
	reserve := map[string]any{"name": "reserve", "queue": "stock", "command": "stock.reserve", "compensation": "stock.release", "after": []string{}}
	a.must(http.StatusCreated, http.MethodPut, "/v1/definitions/alone", map[string]any{"steps": []any{reserve}}, nil)
	a.must(http.StatusCreated, http.MethodPut, "/v1/definitions/beside", map[string]any{"steps": []any{
		reserve,
		map[string]any{"name": "charge", "queue": "payments", "command": "payments.take", "after": []string{}},
	}}, nil)
	a.must(http.StatusOK, http.MethodPatch, "/v1/queues/stock", map[string]any{"paused": true}, nil)
	var failed []string
	for i := range 20 {
		var started, after resource.Saga
		definition := []string{"alone", "beside"}[i%2]
		b.must(http.StatusCreated, http.MethodPost, "/v1/sagas", map[string]any{"definition": definition}, &started)
		if definition == "beside" {
			failed = append(failed, started.ID)
			continue
		}
		a.must(http.StatusOK, http.MethodPost, "/v1/sagas/"+started.ID+"/compensate", map[string]any{"reason": "a test"}, &after)
		assert.Equal(t, saga.Compensated, after.Status)
		assert.Equal(t, saga.StepFailed, after.Steps[0].Status)
		assert.Equal(t, "cancelled", after.Steps[0].Error.Code)
	}
	fx.refuseAll(failed, "charge")
	for id, end := range a.ends(failed) {
		assert.Equal(t, saga.Compensated, end.Status, id)
		assert.Equal(t, saga.StepFailed, end.Steps[0].Status, id)
	}
	worker := fx.work(0, "stock")
	fx.work(0, "payments")
	a.must(http.StatusOK, http.MethodPatch, "/v1/queues/stock", map[string]any{"paused": false}, nil)
	var last resource.Saga
	a.must(http.StatusCreated, http.MethodPost, "/v1/sagas", map[string]any{"definition": "beside"}, &last)
	a.ends([]string{last.ID})
	answered, _ := worker.count()
	assert.Equal(t, 1, answered, "the stock gets the command of the last saga only")
}
