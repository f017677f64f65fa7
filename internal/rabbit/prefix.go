package rabbit

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxAMQPName  = 255 // bytes of a name on the wire
	maxQueueName = 128 // bytes of a worker queue's name in a definition
	maxPrefix    = 117 // bytes, so that the longest name with it fits: <prefix>.commands.<queue>
)

// This does not compile if the longest name does not fit.
const _ = uint(maxAMQPName - len(".commands.") - maxQueueName - maxPrefix)

// checkPrefix refuses a prefix if the broker would not accept names with it.
func checkPrefix(prefix string) error {
	switch {
	case len(prefix) > maxPrefix:
		return fmt.Errorf("AMQP prefix: must be at most %d bytes long, so that <prefix>.commands.<queue> fits into %d", maxPrefix, maxAMQPName)
	case !utf8.ValidString(prefix), strings.ContainsRune(prefix, utf8.RuneError):
		return errors.New("AMQP prefix: must be UTF-8")
	case strings.IndexFunc(prefix, func(c rune) bool { return c == ' ' || !unicode.IsPrint(c) }) >= 0:
		return errors.New("AMQP prefix: must not have spaces or control characters")
	case prefix == "amq" || strings.HasPrefix(prefix, "amq."):
		return errors.New("AMQP prefix: names that begin with amq. are reserved by the broker")
	default:
		return nil
	}
}
