package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// The headers of a dead letter are chosen by its sender, so a viewer gets the values of the protocol's only.
func TestViewersGetNoForeignHeadersOfAMaskedDeadLetter(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	const headers = `{"saga-step":"reserve","saga-attempt":2,"traceparent":"00-1","tracestate":"a=b","x-first-death-queue":"q",
		"x-last-death-reason":"rejected","x-card":"` + cardNumber + `","x-death":[{"routing-keys":["` + cardNumber + `"]}],
		"saga-table":{"card":"` + cardNumber + `"}}`
	const masked = `{"saga-step":"reserve","saga-attempt":2,"traceparent":"00-1","tracestate":"a=b","x-first-death-queue":"q",
		"x-last-death-reason":"rejected","x-card":"***","x-death":"***","saga-table":"***"}`
	for what, letter := range map[string]record.DeadLetter{
		"h-masked": {Source: record.SourceReply, SagaID: v.saga, Body: []byte(`{}`)},
		"h-hidden": {Source: record.SourceReply, Body: []byte(`{}`)},
	} {
		letter.Headers = []byte(headers)
		v.keep(map[string]record.DeadLetter{what: letter})
		for role, want := range map[record.Role]string{record.Viewer: masked, record.Operator: headers} {
			_, v.key = v.holder(role)
			shown := into[resource.DeadLetter](v.get("/v1/dead-letters/"+what), http.StatusOK)
			assert.JSONEq(t, want, string(shown.Headers), "%s as %s", what, role)
		}
	}
}

// The sender chooses the names of members, so a name alone does not make a value harmless.
func TestViewersGetTheMembersOfTheProtocolOnly(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	command := v.saga + "/reserve/compensate/1"
	executed := v.saga + "/reserve/execute"
	for what, c := range map[string]struct{ source, body, want string }{
		"a status":                   {record.SourceReply, `{"status":"succeeded"}`, `{"status":"succeeded"}`},
		"another status":             {record.SourceReply, `{"status":"4111"}`, `{"status":"***"}`},
		"a status that is an object": {record.SourceReply, `{"status":{"card":"4111"}}`, `{"status":"***"}`},
		"a reply with members of a start": {
			record.SourceReply, `{"key":"4111","labels":{"card":"4111"},"deadline":"1h"}`, `{"key":"***","labels":"***","deadline":"***"}`,
		},
		"a compensation":                     {record.SourceCommand, `{"compensates":"` + executed + `","waited":true}`, `{"compensates":"` + executed + `","waited":true}`},
		"a compensation of something else":   {record.SourceCommand, `{"compensates":"4111","waited":"4111"}`, `{"compensates":"***","waited":"***"}`},
		"a command with a status":            {record.SourceCommand, `{"status":"succeeded"}`, `{"status":"***"}`},
		"a start":                            {record.SourceStart, `{"definition":"order","version":1,"key":"k","labels":{"a":"b"}}`, `{"definition":"order","version":1,"key":"k","labels":{"a":"b"}}`},
		"a start with values of other types": {record.SourceStart, `{"definition":"order","key":{"card":"4111"},"deadline":"4111"}`, `{"definition":"order","key":"***","deadline":"***"}`},
	} {
		letter := record.DeadLetter{Source: c.source, SagaID: v.saga, CommandID: command, Body: []byte(c.body)}
		if c.source == record.SourceStart {
			letter.SagaID, letter.CommandID = "", ""
		}
		v.keep(map[string]record.DeadLetter{what: letter})
		_, v.key = v.holder(record.Viewer)
		shown := into[resource.DeadLetter](v.get("/v1/dead-letters/"+strings.ReplaceAll(what, " ", "-")), http.StatusOK)
		assert.JSONEq(t, c.want, shown.Text, what)
	}
}
