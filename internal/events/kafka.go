package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// produceTimeout bounds the time of one event at Kafka.
const produceTimeout = 10 * time.Second

// SASL mechanisms.
const (
	SASLPlain       = "plain"
	SASLScramSHA256 = "scram-sha-256"
	SASLScramSHA512 = "scram-sha-512"
)

// KafkaConfig configures the sink Kafka. Brokers, Topic and Source are required.
type KafkaConfig struct {
	Brokers  []string // host:port
	Topic    string   // created if it does not exist and the brokers allow that
	Source   string   // the installation, in each event
	TLS      bool     // with the certificates that the system trusts
	SASL     string   // mechanism; empty: no authentication
	User     string
	Password string
	Logger   *slog.Logger
}

// Kafka publishes events to a topic, with the saga's id as the key: the events of a saga are in one partition, in order.
type Kafka struct {
	config KafkaConfig
	client *kgo.Client
}

// NewKafka returns a sink that connects when it is used. Close it after use.
func NewKafka(config KafkaConfig) (*Kafka, error) {
	options := []kgo.Opt{
		kgo.SeedBrokers(config.Brokers...), kgo.DefaultProduceTopic(config.Topic), kgo.AllowAutoTopicCreation(),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordDeliveryTimeout(produceTimeout), kgo.ProducerLinger(0),
	}
	if config.TLS {
		options = append(options, kgo.DialTLS())
	}
	mechanism, err := config.mechanism()
	if err != nil {
		return nil, err
	}
	if mechanism != nil {
		options = append(options, kgo.SASL(mechanism))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("configure Kafka: %w", err)
	}
	return &Kafka{config: config, client: client}, nil
}

func (c KafkaConfig) mechanism() (sasl.Mechanism, error) {
	switch c.SASL {
	case "":
		return nil, nil //nolint:nilnil // no authentication
	case SASLPlain:
		return plain.Auth{User: c.User, Pass: c.Password}.AsMechanism(), nil
	case SASLScramSHA256:
		return scram.Auth{User: c.User, Pass: c.Password}.AsSha256Mechanism(), nil
	case SASLScramSHA512:
		return scram.Auth{User: c.User, Pass: c.Password}.AsSha512Mechanism(), nil
	default:
		return nil, fmt.Errorf("kafka SASL mechanism %q: want %s, %s or %s", c.SASL, SASLPlain, SASLScramSHA256, SASLScramSHA512)
	}
}

// tooLarge is the error of a record that is larger than the topic or the client allows.
type tooLarge struct{ error }

// Refused reports that the event is at fault, and not Kafka.
func (tooLarge) Refused() bool { return true }

func (e tooLarge) Unwrap() error { return e.error }

// PublishEvents publishes events and returns the error of each; nil: all in-sync replicas have it.
func (k *Kafka) PublishEvents(ctx context.Context, events []wire.Event) []error {
	faults := make([]error, len(events))
	var open sync.WaitGroup
	for i := range events {
		body, err := events[i].Encode(k.config.Source)
		if err != nil {
			faults[i] = err
			continue
		}
		open.Add(1)
		k.client.Produce(ctx, &kgo.Record{
			Key: []byte(events[i].Subject), Value: body, // the client counts produceTimeout from a Timestamp, so it sets that itself
			Headers: []kgo.RecordHeader{{Key: "content-type", Value: []byte(wire.EventContentType)}},
		}, func(_ *kgo.Record, err error) {
			defer open.Done()
			if errors.Is(err, kerr.MessageTooLarge) {
				err = tooLarge{err}
			}
			if err != nil {
				faults[i] = fmt.Errorf("publish event %s to Kafka: %w", events[i].ID(), err)
			}
		})
	}
	open.Wait() // bounded by produceTimeout
	return faults
}

// Close ends the connections.
func (k *Kafka) Close() { k.client.Close() }

var errNoTopic = errors.New("kafka topic: must not be empty")

// Validate returns an error for a field that can never work.
func (c KafkaConfig) Validate() error {
	if c.Topic == "" {
		return errNoTopic
	}
	_, err := c.mechanism()
	return err
}
