// Package wire encodes and decodes commands and replies: bytes and headers, without a broker or a database.
// internal/rabbit turns a Command into AMQP properties, the stores keep it, and workers read and answer commands
// through this package.
//
// A command that is encoded twice has the same bytes. Every store can hold a reply that DecodeReply accepts.
//
// # Replies
//
// A reply is a JSON object of at most MaxReplyBytes whose status is "succeeded" or "failed". Such a verdict counts,
// whatever else the document holds: unknown members of any depth, size and number, characters that databases cannot
// store, repeated members, a byte order mark. What is not JSON, but usual, is mended: control
// characters within strings, NaN and infinities, escapes such as \x, and zero bytes at the end.
//
//   - error.code and error.message are cut to MaxErrorCode and MaxErrorMessage bytes on a rune boundary. NUL characters,
//     lone surrogates and invalid UTF-8 become U+FFFD. A code or message that is not a string counts as its JSON text, an
//     error that is not an object as its message. Without a code it is "failed".
//   - error.retryable is true unless it is the JSON value false: a value of another type counts as absent.
//   - Of repeated members of the error the last one counts. If the error is repeated with another code, the code is "failed"; if with
//     another code or another retryable, it is retryable.
//   - The output of a failure is ignored.
//   - The output of a success is merged into the saga's data, so it must be an object within saga.DefaultJSONLimits. If it is
//     not, has NaN or such an escape, or is repeated with another value, the step still took effect: saga.Reply gets an OutputFault. The core treats the output as one that the data cannot
//     hold, and the engine keeps the message as a dead letter. SucceededWithout puts the reason there.
//
// A reply is refused if it does not say what happened: it is not a JSON object, its status is absent, unknown or
// repeated with another value, or it is a success with an error.
package wire
