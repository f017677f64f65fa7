package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/events"
	"github.com/saga-orchestrator/orchestrator/internal/operate"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// KafkaConfig configures the publication of lifecycle events to Kafka.
type KafkaConfig struct {
	Brokers  []string // host:port of some brokers; empty: no events go to Kafka
	Topic    string   // default: the AMQP prefix with .events
	TLS      bool     // connect by TLS, with the certificates that the system trusts
	SASL     string   // plain, scram-sha-256 or scram-sha-512; empty: no authentication
	User     string
	Password string
}

// eventSinks forwards lifecycle events.
type eventSinks struct {
	level      record.EventLevel
	forwarders map[record.Sink]*events.Forwarder
	kafka      *events.Kafka // nil: none
	webhooks   *operate.Deliveries
	sender     *operate.Sender

	// The sinks of a type depend on whether the level includes it and whether a webhook wants it. Each combination is made
	// once: the lists are asked for with every history entry.
	published, both, toWebhooks []record.Sink
}

// newEventSinks prepares the sinks of the configuration.
func (s *Server) newEventSinks() (*eventSinks, error) {
	made := &eventSinks{
		level: record.EventLevel(s.config.Events), forwarders: make(map[record.Sink]*events.Forwarder),
		sender: operate.NewSender(time.Now), toWebhooks: []record.Sink{record.SinkWebhooks},
	}
	made.webhooks = operate.NewDeliveries(operate.WebhookConfig{
		Webhooks: s.store, Source: s.config.kafka().Source, Send: made.sender.Send, Delivered: s.metrics.delivered, Logger: s.config.Logger,
	})
	s.addSink(made, record.SinkWebhooks, made.webhooks)
	if made.level != record.EventsNone {
		made.published = append(made.published, record.SinkAMQP)
		s.addSink(made, record.SinkAMQP, s.broker)
	}
	if made.level != record.EventsNone && len(s.config.Kafka.Brokers) > 0 {
		var err error
		if made.kafka, err = events.NewKafka(s.config.kafka()); err != nil {
			return nil, err
		}
		made.published = append(made.published, record.SinkKafka)
		s.addSink(made, record.SinkKafka, made.kafka)
	}
	made.both = slices.Concat(made.published, made.toWebhooks)
	return made, nil
}

func (s *Server) addSink(to *eventSinks, sink record.Sink, publisher events.Publisher) {
	to.forwarders[sink] = events.New(events.Config{
		Name: sink, Rows: s.store, Publisher: publisher, Holder: rand.Text(), Logger: s.config.Logger,
		Forwarded: func(n int) { s.metrics.events.WithLabelValues(string(sink)).Add(float64(n)) },
	})
	s.metrics.events.WithLabelValues(string(sink)) // exposes the series as zero before the first event
}

// sinks returns the sinks of events of a type.
func (e *eventSinks) sinks(eventType string) []record.Sink {
	included, wanted := e.level.Includes(eventType), e.webhooks.Wants(eventType)
	switch {
	case included && wanted:
		return e.both
	case included:
		return e.published
	case wanted:
		return e.toWebhooks
	}
	return nil
}

// committed is called after each committed transaction.
func (e *eventSinks) committed(commit engine.Commit) {
	if commit.Stored > 0 {
		e.stored()
	}
}

// stored is called after events were stored.
func (e *eventSinks) stored() {
	for _, forwarder := range e.forwarders {
		forwarder.Stored()
	}
}

// run forwards until ctx ends.
func (e *eventSinks) run(ctx context.Context) {
	var running sync.WaitGroup
	for _, forwarder := range e.forwarders {
		running.Go(func() { forwarder.Run(ctx) })
	}
	running.Go(func() { e.webhooks.Run(ctx) })
	running.Wait()
}

// close ends the connections to Kafka and to receivers.
func (e *eventSinks) close() {
	if e == nil {
		return
	}
	e.sender.Close()
	if e.kafka != nil {
		e.kafka.Close()
	}
}

func (c Config) kafka() events.KafkaConfig {
	prefix := cmp.Or(c.AMQPPrefix, defaultPrefix)
	return events.KafkaConfig{
		Brokers: c.Kafka.Brokers, Topic: cmp.Or(c.Kafka.Topic, prefix+".events"), Source: wire.EventSource(prefix),
		TLS: c.Kafka.TLS, SASL: c.Kafka.SASL, User: c.Kafka.User, Password: c.Kafka.Password, Logger: c.Logger,
	}
}

// checkEvents checks the configuration of lifecycle events.
func (c Config) checkEvents() error {
	if c.Events != "" && !slices.Contains(record.EventLevels(), record.EventLevel(c.Events)) {
		return fmt.Errorf("events %q: want %q, %q or %q", c.Events, record.EventsSaga, record.EventsAll, record.EventsNone)
	}
	return c.kafka().Validate()
}

// defaultPrefix is the default prefix of all names on the broker.
const defaultPrefix = "saga"
