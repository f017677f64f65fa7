// Package wire is the one place where a command or a reply becomes bytes and headers. It knows neither a broker nor a
// database: internal/rabbit turns a Command into AMQP properties with it, the stores keep a Command as it is, and
// workers read and answer commands through it.
//
// It guarantees that a command encoded twice has the same bytes, and that a reply that DecodeReply accepts can be
// stored by every store.
//
// It may import saga, and nothing else of ours.
package wire
