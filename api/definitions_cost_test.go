package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

func TestACostlySchemaIsRefusedAtRegistration(t *testing.T) {
	t.Parallel()
	o := start(t)
	var levels strings.Builder
	for i := range 28 {
		fmt.Fprintf(&levels, `"a%d":{"allOf":[{"$ref":"#/$defs/a%d"},{"$ref":"#/$defs/a%d"}]},`, i, i+1, i+1)
	}
	body := `{"data_schema":{"$ref":"#/$defs/a0","$defs":{` + levels.String() + `"a28":{}}},"steps":[{"name":"a","command":"q.a"}]}`
	bad := o.send(http.MethodPut, "/v1/definitions/order", body).problem(422, "invalid_definition")
	require.Len(t, bad.Errors, 1)
	assert.Equal(t, "/data_schema", bad.Errors[0].Pointer)
	assert.Contains(t, bad.Errors[0].Message, "10000 schemas")
}

func TestAStartThatCostsTooMuchToCheckIsRefused(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.register("order", `{"data_schema":{"properties":{"s":{"pattern":"((a{0,30}){0,30})$"}}},"steps":[{"name":"w","signal":"go"}]}`)
	data := `{"definition":"order","data":{"s":"` + strings.Repeat("a", 200_000) + `"}}`
	bad := o.post("/v1/sagas", data).problem(422, "invalid_data")
	require.Len(t, bad.Errors, 1)
	assert.Contains(t, bad.Errors[0].Message, "50000000 units")
	o.post("/v1/sagas", `{"definition":"order","data":{"s":"aaa"}}`).saga(http.StatusCreated)
}

func TestACostlyConditionFailsItsStepOnly(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.register("order", `{"steps":[{"name":"a","command":"q.a","when":"data.s.matches(data.s)"}]}`)
	id := o.begin(`{"definition":"order","data":{"s":"` + strings.Repeat("a", 100_000) + `"}}`).ID
	failed := o.untilStatus(id, saga.Compensated)
	assert.Equal(t, saga.CodeConditionFailed, failed.Failure.Code)
}
