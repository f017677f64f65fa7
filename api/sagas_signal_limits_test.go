package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// The limit of the code counts characters, and that of the message bytes, as docs/limits.md says.
func TestTheLimitsOfTheErrorOfASignal(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.send(http.MethodPut, "/v1/definitions/approval", `{"steps":[{"name":"w","signal":"go"}]}`)
	x := strings.Repeat
	for name, c := range map[string]struct{ at, past, limit string }{
		"code":    {`{"code":"` + x("é", 128) + `"}`, `{"code":"` + x("é", 129) + `"}`, "128 printable characters"},
		"message": {`{"code":"c","message":"` + x("é", 2048) + `"}`, `{"code":"c","message":"` + x("é", 2048) + `m"}`, "4096 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := "/v1/sagas/" + o.begin(`{"definition":"approval"}`).ID + "/signals/go"
			problem := o.post(path, `{"error":`+c.past+`}`).problem(http.StatusUnprocessableEntity, resource.CodeInvalidField)
			assert.Contains(t, problem.Errors[0].Message, c.limit)
			into[resource.Saga](o.post(path, `{"error":`+c.at+`}`), http.StatusOK)
		})
	}
}
