// Package events forwards lifecycle events from the store to a sink: RabbitMQ, Kafka or webhooks.
//
// An event is stored in the transaction of the state that caused it, and deleted once the sink has taken it. So no event is
// lost, and one may be published again, with the same id. The events of one saga reach a sink in their order: one replica
// at a time forwards to a sink, and it publishes an event only after the sink has taken the earlier ones of that saga.
package events
