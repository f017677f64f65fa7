package chaos

import (
	"crypto/rand"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// message is something that is put into the reply queue.
type message struct {
	correlationID string
	body          string
	properties    amqp.Publishing
}

// reply puts messages into the reply queue as any AMQP client might, and waits until the broker has them all.
func (w *world) reply(messages []message) {
	w.t.Helper()
	channel := w.channel()
	require.NoError(w.t, channel.Confirm(false))
	var confirms []*amqp.DeferredConfirmation
	for _, m := range messages {
		sent := m.properties
		sent.CorrelationId, sent.Body, sent.DeliveryMode = m.correlationID, []byte(m.body), amqp.Persistent
		confirm, err := channel.PublishWithDeferredConfirm("", w.prefix+".replies", false, false, sent)
		require.NoError(w.t, err)
		confirms = append(confirms, confirm)
	}
	for _, confirm := range confirms {
		taken, err := confirm.WaitContext(w.t.Context())
		require.NoError(w.t, err)
		require.True(w.t, taken)
	}
}

// malformed are bodies that do not say what happened. A clear verdict counts whatever its text is like.
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

// sendMalformed sends what is no reply, for a command that exists, and good replies that belong to no command.
func sendMalformed(w *world) int {
	whole := w.broken()
	victim := w.startOne("linear", Data{Number: 1_000_000})
	var messages []message
	for range times(10, 2) {
		for _, body := range malformed() {
			messages = append(messages, message{correlationID: victim + "/first/execute/1", body: body})
		}
		for _, id := range []string{
			"", "nonsense", "/", "///", victim, victim + "/first/execute/0", victim + "/first/execute/x",
			victim + "/first/undo/1", strings.Repeat("x", 200),
		} {
			messages = append(messages, message{correlationID: id, body: `{"status":"succeeded"}`})
		}
	}
	w.reply(messages)
	whole()
	w.expectDead = len(messages)
	return len(messages)
}

// eachPutAside: what could not be understood is a dead letter, once.
func eachPutAside(w *world, e evidence) []string {
	return unequal("dead letters", len(e.DeadLetters), w.expectDead)
}

// sendForUnknownSagas sends good replies for sagas that never were.
func sendForUnknownSagas(w *world) int {
	whole := w.broken()
	messages := make([]message, times(10_000, 500))
	for i := range messages {
		messages[i] = message{correlationID: "01" + rand.Text()[:24] + "/first/execute/1", body: `{"status":"succeeded"}`}
	}
	w.reply(messages)
	whole()
	w.expectDead = len(messages)
	return len(messages)
}

// forge answers for others: for steps and attempts that the sagas do not have, and for compensations that were never
// asked for, with the user-id that the broker lets through and without one.
func forge(w *world) int {
	whole := w.broken()
	ids := w.startMany(times(100, 10), "linear", map[string]Behaviour{"second": Slow})
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
	w.reply(messages)
	whole()
	w.expectDead = len(messages)
	return len(messages)
}

// nothingForged: no forged output has come into any saga's data, and each forgery was put aside.
func nothingForged(w *world, e evidence) []string {
	var faults []string
	for id, answer := range e.answered {
		if strings.Contains(string(answer.Data), "forged") {
			faults = append(faults, id+" has taken a forged output in")
		}
	}
	return append(faults, eachPutAside(w, e)...)
}

// replay sends all replies of the past again, when the sagas have long ended.
func replay(w *world) int {
	w.startMany(times(750, 20), "linear", nil)
	w.startMany(times(100, 5), "linear", map[string]Behaviour{"third": Decline})
	w.atRest()
	var messages []message
	for _, one := range w.histories() {
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
	w.revisions = w.count(`select sum(revision) from sagas`)
	w.reply(messages)
	w.await(60*time.Second, "the replies should have been taken", w.empty)
	return len(messages)
}

// nothingMoved: the past changes nothing.
func nothingMoved(w *world, _ evidence) []string {
	return unequal("revisions of all sagas together", w.count(`select sum(revision) from sagas`), w.revisions)
}
