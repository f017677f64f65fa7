package diagnose

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// refusesUser is what a broker says to a user without a right.
func refusesUser() error {
	return fmt.Errorf("not ready: %w", &wire.Obstacle{
		What: "the broker refuses the user", Words: "ACCESS_REFUSED - configure access to queue 'saga.commands.qa' in vhost '/' refused for user 'app'",
		Help: "Give it the rights.", Cause: errors.New("exception 403"),
	})
}

// A broker that objects can be reached, and nothing comes back by itself.
func TestWhyTheBrokerObjects(t *testing.T) {
	t.Parallel()
	old := record.OutboxRow{Queue: "qa", CreatedAt: whyNow().Add(-time.Minute)}
	foreign := &wire.Obstacle{What: "the prefix belongs to another installation", Help: "Choose another one.", Cause: errors.New("foreign")}
	for name, c := range map[string]struct {
		broker error
		words  string
		public string
	}{
		"a user without a right": {
			refusesUser(),
			"published: the broker refuses the user: ACCESS_REFUSED - configure access to queue 'saga.commands.qa' in vhost '/' refused for user 'app'. Give it the rights. ",
			"the broker refuses the user: ACCESS_REFUSED - configure access to queue 'saga.commands.qa'",
		},
		"another installation": {foreign, "published: the prefix belongs to another installation. Choose another one. ", "the prefix belongs to another installation"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin(t, saga.Start{}).inOutbox("a", old)
			s.Broker, s.Queues = c.broker, nil
			why := s.wants(resource.CauseNotPublished, "a")
			assert.Contains(t, why.Message, c.words)
			assert.NotContains(t, why.Message, "reached")
			assert.Equal(t, c.public, why.Evidence.Broker)
		})
	}
	s := begin(t, saga.Start{})
	s.Broker = refusesUser()
	why := s.wants(resource.CauseWaitingForWorker, "a")
	assert.Contains(t, why.Message, "a reply may not arrive: the broker refuses the user")
	assert.NotContains(t, why.Message, "reached")
}

// To register the definition again does not help against a broker that does not declare its queue.
func TestWhyTheBrokerDoesNotDeclareAQueue(t *testing.T) {
	t.Parallel()
	old := record.OutboxRow{Queue: "qa", CreatedAt: whyNow().Add(-time.Minute)}
	published := begin(t, saga.Start{})
	published.Queues["qa"] = wire.QueueState{}
	returned := begin(t, saga.Start{}).inOutbox("a", old)
	returned.Problems = map[string]record.QueueProblem{"qa": {Queue: "qa", Kind: record.QueueMissing, Since: whyNow()}}
	for _, s := range []*story{published, returned} {
		assert.Contains(t, s.wants(resource.CauseUnroutable, "a").Message, "Register the definition again")
		s.Undeclared = map[string]error{"qa": refusesUser()}
		why := s.wants(resource.CauseUnroutable, "a")
		assert.Contains(t, why.Message, "has no queue qa and did not declare it: the broker refuses the user: ACCESS_REFUSED")
		assert.Contains(t, why.Message, "Give it the rights.")
		assert.NotContains(t, why.Message, "Register")
		s.Undeclared = map[string]error{"qa": errors.New("connection lost")}
		assert.Contains(t, s.wants(resource.CauseUnroutable, "a").Message, "Register the definition again", "the broker has not answered")
	}
}

func TestWhyACommandNeedsTheRightToWrite(t *testing.T) {
	t.Parallel()
	s := begin(t, saga.Start{}).inOutbox("a", record.OutboxRow{
		Queue: "qa", CreatedAt: whyNow().Add(-time.Minute), RefusedAt: whyNow(), Reason: "Exception (403) ACCESS_REFUSED - write access refused",
	})
	why := s.wants(resource.CauseRefusedByBroker, "a")
	assert.Contains(t, why.Message, "the right to write")
	assert.NotContains(t, why.Message, "too large")
}
