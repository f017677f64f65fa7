package rabbit

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// QueueType says what kind of queue is declared. It cannot be changed for queues that exist.
type QueueType string

// The kinds of queues. Quorum queues survive the loss of a machine and count deliveries. Classic ones are cheaper, and
// the only ones that order by priority before RabbitMQ 4.
const (
	Quorum  QueueType = "quorum"
	Classic QueueType = "classic"
)

// Errors that callers tell apart.
var (
	// ErrClosed says that the Broker was closed.
	ErrClosed = errors.New("closed")
	// ErrMismatch says that a queue or an exchange exists with other properties than it should have.
	ErrMismatch = errors.New("exists with other properties")
	// ErrForeign says that another installation uses the prefix.
	ErrForeign = errors.New("the prefix belongs to another installation")
	// ErrNotConnected says that there is no connection now. There will be: the Broker keeps trying.
	ErrNotConnected = errors.New("not connected to RabbitMQ")
)

// Config says how to reach the broker and how to use it. Only URL is required.
type Config struct {
	URL       string    // amqp:// or amqps://
	Prefix    string    // of every name that is declared; default: saga
	QueueType QueueType // default: Quorum
	Name      string    // shown in the broker's list of connections; default: orchestrator
	// Installation is the id of the orchestrator's installation: a prefix is used by one installation only. Empty: it is
	// not checked.
	Installation string
	// WorkerOnly leaves the declaring to the orchestrator: consumers wait for their queues.
	WorkerOnly bool

	Prefetch      int           // replies, and the like, that may be unsettled at a time; default: 500
	DeliveryLimit int           // how often a quorum queue delivers a command again before it is a dead letter; default: 4
	Window        int           // messages that may be unconfirmed at a time, of a few queues; default: 1000
	Timeout       time.Duration // of a batch that is published, a write, or a question to the broker; default: 5s
	// Confirm is how long a message may wait for its confirm; default: 2.5s. It ends before the lease of an outbox row,
	// so that no message is published again while its confirm may still come.
	Confirm   time.Duration
	Heartbeat time.Duration // a peer that is silent for two of them is gone; default: 10s
	// Renew is how long a consumer goes without a message before it subscribes anew; default: 5s. A broker has been seen
	// to forget, without a word, a consumer whose queue was deleted in the moment of its subscribing.
	Renew  time.Duration
	Grace  time.Duration // how long a consumer that ends waits for what is unsettled; default: 5s
	Logger *slog.Logger  // nil: no log
}

func (c Config) withDefaults() Config {
	orString(&c.Prefix, "saga")
	orString(&c.Name, "orchestrator")
	if c.QueueType == "" {
		c.QueueType = Quorum
	}
	orInt(&c.Prefetch, 500)
	orInt(&c.DeliveryLimit, 4)
	orInt(&c.Window, 1000)
	orDuration(&c.Timeout, 5*time.Second)
	orDuration(&c.Confirm, 2500*time.Millisecond)
	orDuration(&c.Heartbeat, 10*time.Second)
	orDuration(&c.Renew, 5*time.Second)
	orDuration(&c.Grace, 5*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate says what can never work, so that a program can refuse to start with it.
func (c Config) Validate() error {
	if uri, err := amqp.ParseURI(c.URL); err != nil || uri.Port < 1 || uri.Port > 65535 {
		// The parser's own error may repeat the URL, and with it the password.
		return errors.New("AMQP URL: want amqp://user:password@host:port/vhost; write special characters of the user, the " +
			"password and the vhost as %XX (@ as %40, / as %2F, % as %25)")
	}
	if c.QueueType != "" && c.QueueType != Quorum && c.QueueType != Classic {
		return fmt.Errorf("queue type %q: want %q or %q", c.QueueType, Quorum, Classic)
	}
	return checkPrefix(c.Prefix)
}

func orString(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

func orInt(field *int, value int) {
	if *field <= 0 {
		*field = value
	}
}

func orDuration(field *time.Duration, value time.Duration) {
	if *field <= 0 {
		*field = value
	}
}
