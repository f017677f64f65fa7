package rabbit

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// QueueType is the type of the declared queues. The type of an existing queue cannot change.
type QueueType string

// Types of queues. Quorum queues survive the loss of a machine and count deliveries. Classic queues are cheaper, and
// before RabbitMQ 4 only they order by priority.
const (
	Quorum  QueueType = "quorum"
	Classic QueueType = "classic"
)

// Errors that callers distinguish.
var (
	// ErrClosed means that the Broker was closed.
	ErrClosed = errors.New("closed")
	// ErrMismatch means that a queue or an exchange exists with other properties.
	ErrMismatch = errors.New("exists with other properties")
	// ErrForeign means that another installation uses the prefix.
	ErrForeign error = foreign{}
	// ErrNotConnected means that the connection is down. The Broker keeps trying.
	ErrNotConnected = errors.New("not connected to RabbitMQ")
)

// foreign is the type of ErrForeign.
type foreign struct{}

func (foreign) Error() string { return "the prefix belongs to another installation" }

// Public returns a text that anyone may read.
func (f foreign) Public() string { return f.Error() }

// Config configures a Broker. Only URL is required.
type Config struct {
	URL       string    // amqp:// or amqps://
	Prefix    string    // of all declared names; default: saga
	QueueType QueueType // default: Quorum
	Name      string    // shown in the broker's list of connections; default: orchestrator
	// Installation is the id of the orchestrator's installation. Only one installation may use a prefix. Empty:
	// unchecked.
	Installation string
	// WorkerOnly leaves declarations to the orchestrator: consumers wait for their queues.
	WorkerOnly bool
	// SendUserID makes replies carry the user of the connection as user_id, which the broker verifies.
	SendUserID bool

	Prefetch      int           // unsettled messages of each of the orchestrator's queues; default: 500
	DeliveryLimit int           // redeliveries of a command by a quorum queue before it is dead-lettered; default: 4
	Window        int           // unconfirmed messages to one queue; default: 1000
	Timeout       time.Duration // of a published batch, a write, or a question to the broker; default: 5s
	// Confirm limits the wait for a message's confirm; default: 2.5s. It is shorter than the lease of an outbox row, so
	// that no message is published again while its confirm may still come.
	Confirm   time.Duration
	Heartbeat time.Duration // a peer is lost after two silent heartbeats; default: 10s
	// Renew is how long a consumer may go without a message before it subscribes again; default: 5s. A broker may
	// silently forget a consumer whose queue was deleted while it subscribed.
	Renew time.Duration
	// CheckEvery is the time between two checks of dead-lettering, equal in all replicas; default: 15s.
	CheckEvery time.Duration
	Grace      time.Duration // how long a stopping consumer waits for unsettled messages; default: 5s
	Logger     *slog.Logger  // nil: no log
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
	orDuration(&c.CheckEvery, 15*time.Second)
	orDuration(&c.Grace, 5*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate returns an error for what can never work, so that a program can refuse to start.
func (c Config) Validate() error {
	uri, err := amqp.ParseURI(c.URL)
	if err != nil || uri.Port < 1 || uri.Port > 65535 || !namesHost(c.URL) {
		// The parser's error may repeat the URL, and with it the password.
		return errors.New("AMQP URL: want amqp://user:password@host:port/vhost; write special characters of the user, the " +
			"password and the vhost as %XX (@ as %40, / as %2F, % as %25)")
	}
	if uri.Scheme == amqps {
		if _, err := tlsConfig(&uri); err != nil {
			return fmt.Errorf("AMQP URL: %w", err)
		}
	}
	if c.QueueType != "" && c.QueueType != Quorum && c.QueueType != Classic {
		return fmt.Errorf("queue type %q: want %q or %q", c.QueueType, Quorum, Classic)
	}
	return checkPrefix(c.Prefix)
}

// namesHost reports whether a URL has a host where a reader sees it: without // the library would dial the default one, and a password with / or
// ? ends the host early.
func namesHost(url string) bool {
	scheme, rest, found := strings.Cut(url, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	return found && !strings.Contains(scheme, ":") && (strings.Contains(rest[:end], "@") || !strings.Contains(rest[end:], "@"))
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
