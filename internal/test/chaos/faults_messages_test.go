package chaos

import (
	"crypto/rand"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// message is a message for the reply queue.
type message struct {
	correlationID string
	body          string
	properties    amqp.Publishing
}

// reply publishes messages to the reply queue as any AMQP client might, and waits for the broker's confirms.
func (fx *fixture) reply(messages []message) {
	fx.t.Helper()
	channel := fx.channel()
	require.NoError(fx.t, channel.Confirm(false))
	var confirms []*amqp.DeferredConfirmation
	for _, m := range messages {
		sent := m.properties
		sent.CorrelationId, sent.Body, sent.DeliveryMode = m.correlationID, []byte(m.body), amqp.Persistent
		confirm, err := channel.PublishWithDeferredConfirm("", fx.prefix+".replies", false, false, sent)
		require.NoError(fx.t, err)
		confirms = append(confirms, confirm)
	}
	for _, confirm := range confirms {
		taken, err := confirm.WaitContext(fx.t.Context())
		require.NoError(fx.t, err)
		require.True(fx.t, taken)
	}
}

// malformed are bodies without a clear verdict. A clear verdict counts, whatever its text is like.
func malformed() []string {
	good := `{"status":"succeeded"}`
	return []string{
		"", " ", "\xef\xbb\xbf\xef\xbb\xbf" + good, "{", "[]", "null", "true", `"succeeded"`, "1", good[:10], good + " x", good + good,
		`{"status":"maybe"}`, `{"status":1}`, `{"status":null}`, `{}`, `{"Status":"succeeded"}`,
		`{"status":"succeeded","status":"failed"}`, `{"status":"failed","a":"\ud800","status":"succeeded"}`, "\xff\xfe",
		`{"status":"succeeded","output":{"x":` + strings.Repeat("[", 10_001) + `}}`,
		`{"status":"succeeded","output":{"x":"` + strings.Repeat("x", 300<<10) + `"}}`,
		`{"status":"succeeded","error":{"code":"x"}}`, `{"status":"succeeded","error":"x"}`,
	}
}

// sendMalformed sends invalid replies for an existing command, and valid replies that belong to no command.
func sendMalformed(fx *fixture) int {
	whole := fx.broken()
	victim := fx.startOne("linear", Data{Number: 1_000_000})
	var messages []message
	for range times(10, 2) {
		for _, body := range malformed() {
			messages = append(messages, message{correlationID: victim + "/first/execute/1", body: body})
		}
		for _, id := range []string{
			"", "nonsense", "/", "///", victim, victim + "/first/execute/0", victim + "/first/execute/x",
			victim + "/first/reverse/1", strings.Repeat("x", 200),
		} {
			messages = append(messages, message{correlationID: id, body: `{"status":"succeeded"}`})
		}
	}
	fx.reply(messages)
	whole()
	fx.expectDead = len(messages)
	return len(messages)
}

// eachDeadLettered: each unintelligible message is a dead letter, once.
func eachDeadLettered(fx *fixture, e evidence) []string {
	return unequal("dead letters", len(e.DeadLetters), fx.expectDead)
}

// sendForUnknownSagas sends valid replies for sagas that never existed.
func sendForUnknownSagas(fx *fixture) int {
	whole := fx.broken()
	messages := make([]message, times(10_000, 500))
	for i := range messages {
		messages[i] = message{correlationID: "01" + rand.Text()[:24] + "/first/execute/1", body: `{"status":"succeeded"}`}
	}
	fx.reply(messages)
	whole()
	fx.expectDead = len(messages)
	return len(messages)
}

// forge sends replies for steps and attempts that the sagas do not have, and for compensations that were never sent,
// with and without a user-id that the broker accepts.
func forge(fx *fixture) int {
	whole := fx.broken()
	ids := fx.startMany(times(100, 10), "linear", map[string]Behaviour{"second": Slow})
	var messages []message
	for i, id := range ids {
		for _, command := range []string{"/first/execute/7", "/other/execute/1", "/second/compensate/1", "/fourth/execute/9", "/first/compensate-2/1"} {
			m := message{correlationID: id + command, body: `{"status":"succeeded","output":{"forged":true}}`}
			if i%2 == 0 {
				m.properties.UserId = "guest"
			}
			messages = append(messages, m)
		}
	}
	fx.reply(messages)
	whole()
	fx.expectDead = len(messages)
	return len(messages)
}

// nothingForged: no saga's data has a forged output, and each forgery is a dead letter.
func nothingForged(fx *fixture, e evidence) []string {
	var faults []string
	for id, answer := range e.answered {
		if strings.Contains(string(answer.Data), "forged") {
			faults = append(faults, id+" has a forged output")
		}
	}
	return append(faults, eachDeadLettered(fx, e)...)
}

// replay sends all earlier replies again after the sagas have ended.
func replay(fx *fixture) int {
	fx.startMany(times(750, 20), "linear", nil)
	fx.startMany(times(100, 5), "linear", map[string]Behaviour{"third": Decline})
	fx.atRest()
	var messages []message
	for _, one := range fx.histories() {
		id := saga.CommandID{Saga: one.SagaID, Step: one.Step, Direction: saga.Execute, Round: 1, Attempt: one.Attempt}
		body := `{"status":"succeeded"}`
		switch one.Type {
		case saga.EntryStepSucceeded:
		case saga.EntryStepCompensated:
			id.Direction = saga.Compensate
		case saga.EntryStepFailed:
			body = `{"status":"failed","error":{"code":"declined","retryable":false}}`
		default:
			continue
		}
		id.Attempt = max(1, id.Attempt)
		messages = append(messages, message{correlationID: id.String(), body: body})
	}
	fx.revisions = fx.count(`select sum(revision) from sagas`)
	fx.reply(messages)
	fx.await(60*time.Second, "the replies should have been consumed", fx.empty)
	return len(messages)
}

// nothingMoved: old replies change no saga.
func nothingMoved(fx *fixture, _ evidence) []string {
	return unequal("revisions of all sagas together", fx.count(`select sum(revision) from sagas`), fx.revisions)
}
