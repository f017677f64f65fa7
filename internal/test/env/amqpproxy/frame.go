package amqpproxy

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Kinds of frames.
const (
	KindMethod    = 1
	KindHeader    = 2
	KindBody      = 3
	KindHeartbeat = 8
)

// Method identifies a method: its class times 65,536 plus its number in the class.
type Method uint32

// The methods that the proxy reads or tests use.
const (
	ConnectionClose   Method = 10<<16 | 50
	ConnectionBlocked Method = 10<<16 | 60
	ChannelOpen       Method = 20<<16 | 10
	ChannelClose      Method = 20<<16 | 40
	ChannelCloseOK    Method = 20<<16 | 41
	ExchangeDeclare   Method = 40<<16 | 10
	QueueDeclare      Method = 50<<16 | 10
	QueueBind         Method = 50<<16 | 20
	BasicCancel       Method = 60<<16 | 30
	BasicPublish      Method = 60<<16 | 40
	BasicAck          Method = 60<<16 | 80
	BasicNack         Method = 60<<16 | 120
)

// Frame is one AMQP frame.
type Frame struct {
	Kind    byte
	Channel uint16
	Payload []byte
}

// Method returns the method of a method frame; 0 for others.
func (f Frame) Method() Method {
	if f.Kind != KindMethod || len(f.Payload) < 4 {
		return 0
	}
	return Method(binary.BigEndian.Uint32(f.Payload))
}

func readFrame(from io.Reader) (Frame, error) {
	var head [7]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return Frame{}, err
	}
	f := Frame{Kind: head[0], Channel: binary.BigEndian.Uint16(head[1:3])}
	size := binary.BigEndian.Uint32(head[3:7])
	if size > 64<<20 {
		return f, fmt.Errorf("a frame of %d bytes", size)
	}
	f.Payload = make([]byte, size+1)
	if _, err := io.ReadFull(from, f.Payload); err != nil {
		return f, err
	}
	f.Payload = f.Payload[:size]
	return f, nil
}

// Encode returns the frame's bytes.
func (f Frame) Encode() []byte {
	out := []byte{f.Kind}
	out = binary.BigEndian.AppendUint16(out, f.Channel)
	out = binary.BigEndian.AppendUint32(out, uint32(len(f.Payload)))
	return append(append(out, f.Payload...), 0xCE)
}

// shortText reads the short string at an offset of a payload. It returns the offset after it.
func shortText(payload []byte, at int) (text string, after int) {
	if at >= len(payload) || at+1+int(payload[at]) > len(payload) {
		return "", len(payload)
	}
	after = at + 1 + int(payload[at])
	return string(payload[at+1 : after]), after
}

// RoutingKey returns the exchange and the routing key of a basic.publish.
func (f Frame) RoutingKey() (exchange, key string) {
	exchange, at := shortText(f.Payload, 6)
	key, _ = shortText(f.Payload, at)
	return exchange, key
}

// confirmation returns the tag of a basic.ack or basic.nack; multiple includes all tags below.
func (f Frame) confirmation() (tag uint64, multiple bool) {
	if len(f.Payload) < 13 {
		return 0, false
	}
	return binary.BigEndian.Uint64(f.Payload[4:]), f.Payload[12]&1 == 1
}

func methodFrame(channel uint16, m Method, arguments ...byte) Frame {
	payload := binary.BigEndian.AppendUint32(nil, uint32(m))
	return Frame{Kind: KindMethod, Channel: channel, Payload: append(payload, arguments...)}
}

// Ack returns the confirm of one message.
func Ack(channel uint16, tag uint64) Frame {
	return methodFrame(channel, BasicAck, append(binary.BigEndian.AppendUint64(nil, tag), 0)...)
}

// Nack returns the refusal of one message.
func Nack(channel uint16, tag uint64) Frame {
	return methodFrame(channel, BasicNack, append(binary.BigEndian.AppendUint64(nil, tag), 0)...)
}

// closeChannel returns a channel.close.
func closeChannel(channel, code uint16, reason string) Frame {
	return methodFrame(channel, ChannelClose, closeArguments(code, reason)...)
}

// CloseConnection returns a connection.close with a code and a reason.
func CloseConnection(code uint16, reason string) Frame {
	return methodFrame(0, ConnectionClose, closeArguments(code, reason)...)
}

func closeArguments(code uint16, reason string) []byte {
	arguments := binary.BigEndian.AppendUint16(nil, code)
	arguments = append(arguments, byte(len(reason)))
	arguments = append(arguments, reason...)
	return append(arguments, 0, 0, 0, 0)
}

// Blocked returns a connection.blocked: the broker has stopped reading from the connection.
func Blocked(reason string) Frame {
	return methodFrame(0, ConnectionBlocked, append([]byte{byte(len(reason))}, reason...)...)
}

// CancelConsumer returns a basic.cancel: the broker has ended the consumer.
func CancelConsumer(channel uint16, tag string) Frame {
	return methodFrame(channel, BasicCancel, append(append([]byte{byte(len(tag))}, tag...), 1)...)
}
