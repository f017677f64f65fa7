// Package wire is the one place where a command or a reply becomes bytes and headers. It knows neither a broker nor a
// database: internal/rabbit turns a Command into AMQP properties with it, the stores keep a Command as it is, and
// workers read and answer commands through it.
//
// It guarantees that a command encoded twice has the same bytes, and that a reply that DecodeReply accepts can be
// stored by every store.
//
// # Replies
//
// A reply is a JSON object of at most MaxReplyBytes whose status is "succeeded" or "failed". Such a verdict is clear, and
// it counts whatever else the document holds: unknown members of any depth, size and number, characters that databases
// cannot store, repeated members (the last one counts), a byte order mark.
//
//   - error.code and error.message are cut to MaxErrorCode and MaxErrorMessage bytes on a rune boundary. NUL characters,
//     lone surrogates and invalid UTF-8 become U+FFFD. A code or message that is not a string counts as its JSON text, an
//     error that is not an object as its message. Without a code it is "failed".
//   - error.retryable is true unless it is the JSON value false: a value of another type counts as absent.
//   - output of a failure is passed over.
//   - output of a success is merged into the saga's data, so the limits of saga.DefaultJSONLimits hold, and it must be an
//     object. Where it is not, the reply still says that the step took effect: saga.Reply has an OutputFault. The core
//     then treats the step as one whose output the data cannot hold, and the engine keeps the message as a dead letter.
//
// Refused is what leaves open what happened: no JSON object, a status that is absent, unknown or repeated with another
// value, a success with an error.
//
// It may import saga, and nothing else of ours.
package wire
