package amqpproxy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Nested returns the wire bytes of "v" inside nested arrays, without the type byte of the outermost one.
func Nested(arrays int) []byte {
	value := append(binary.BigEndian.AppendUint32([]byte{'S'}, 1), 'v')
	for range arrays - 1 {
		value = append(binary.BigEndian.AppendUint32([]byte{'A'}, uint32(len(value))), value...)
	}
	return value
}

// ManyNulls returns the content of a table whose entries are all null.
func ManyNulls(entries int) []byte {
	var table []byte
	for i := range entries {
		table = append(fmt.Appendf(append(table, 5), "%05d", i), 'V')
	}
	return table
}

// PublishPoison publishes a message to a queue with headers that the broker accepts and amqp091-go refuses to read: arrays
// nested too deeply ('A'), or a table with too many entries ('F').
func PublishPoison(t testing.TB, url, queue string, kind byte, message amqp.Publishing) {
	t.Helper()
	content := Nested(33)
	if kind == 'F' {
		content = ManyNulls(9000)
	}
	PublishHeader(t, url, "", queue, kind, content, message)
}

// PublishHeader publishes a message whose header "ctx" is an array ('A') or a table ('F') with this content. amqp091-go
// writes only headers that it can read, so it gets a placeholder, which its connection replaces.
func PublishHeader(t testing.TB, url, exchange, key string, kind byte, content []byte, message amqp.Publishing) {
	t.Helper()
	placeholder := strings.Repeat("~", len(content))
	length := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
	from := append(append([]byte{'S'}, length...), placeholder...)
	to := append(append([]byte{kind}, length...), content...)
	conn, err := amqp.DialConfig(url, amqp.Config{Dial: func(network, address string) (net.Conn, error) {
		dialled, err := amqp.DefaultDial(10*time.Second)(network, address)
		return &substituting{Conn: dialled, from: from, to: to}, err
	}})
	if err != nil {
		t.Fatalf("connect to publish a header: %v", err)
	}
	defer conn.Close()
	channel, err := conn.Channel()
	if err == nil {
		err = channel.Confirm(false)
	}
	if err != nil {
		t.Fatalf("open a channel to publish a header: %v", err)
	}
	message.Headers = amqp.Table{"ctx": placeholder, "saga-step": "charge"}
	confirm, err := channel.PublishWithDeferredConfirm(exchange, key, true, false, message)
	if err != nil || !confirm.Wait() {
		t.Fatalf("the broker did not confirm the message: %v", err)
	}
}

// substituting is a connection that replaces a placeholder, even one that the library splits over several writes.
type substituting struct {
	net.Conn
	from, to []byte
	held     []byte // the end of the last write, if the placeholder may begin there
}

func (s *substituting) Write(content []byte) (int, error) {
	out := bytes.ReplaceAll(append(s.held, content...), s.from, s.to)
	keep := min(len(s.from)-1, len(out))
	for keep > 0 && !bytes.HasPrefix(s.from, out[len(out)-keep:]) {
		keep--
	}
	s.held = bytes.Clone(out[len(out)-keep:])
	if _, err := s.Conn.Write(out[:len(out)-keep]); err != nil {
		return 0, err
	}
	return len(content), nil
}
