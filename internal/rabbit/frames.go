package rabbit

import (
	"bufio"
	"encoding/binary"
	"io"
)

// Kinds of AMQP 0-9-1 frames, and the size of a frame's head and tail.
const (
	frameMethod    = 1
	frameHeader    = 2
	frameBody      = 3
	frameHeartbeat = 8

	frameHead     = 7 // kind, channel, size
	frameTail     = 1 // the end octet
	frameOverhead = frameHead + frameTail
)

// maxHeaderFrame limits a content header that is read into memory to be mended. A broker exceeds frame_max only by the
// headers that it adds itself: kilobytes.
const maxHeaderFrame = 16 << 20

// frameReader passes the broker's frames to amqp091-go and mends messages over which the library would end the
// connection: they would be delivered again and end the next connection, forever. The library refuses headers that are
// nested too deeply, have too many elements or unknown types, and frames beyond frame_max, which RabbitMQ itself sends
// when it adds x-death to large headers. Bodies beyond a limit are cut, so that a few messages cannot fill the memory.
// A mended message carries damageHeader. All other bytes pass unchanged.
type frameReader struct {
	from      *bufio.Reader
	limits    *readLimits
	ready     []byte // mended bytes, returned before anything else
	remaining int    // bytes of the current frame that pass unchanged
	raw       bool   // not AMQP frames: the rest passes unchanged
	cuts      map[uint16]*bodyCut
}

// bodyCut is the rest of a body that is being cut, on one channel.
type bodyCut struct{ keep, drop uint64 }

func newFrameReader(from io.Reader, limits *readLimits) *frameReader {
	return &frameReader{from: bufio.NewReaderSize(from, socketBuffer), limits: limits, cuts: make(map[uint16]*bodyCut)}
}

// Read fills content with what has arrived. It blocks only if nothing has.
func (r *frameReader) Read(content []byte) (n int, err error) {
	for n < len(content) {
		if len(r.ready) == 0 && r.remaining == 0 && !r.raw {
			if n > 0 && !r.arrived() {
				return n, nil
			}
			if err := r.next(); err != nil {
				return n, err
			}
			continue
		}
		if n > 0 && len(r.ready) == 0 && r.from.Buffered() == 0 {
			return n, nil
		}
		read, err := r.some(content[n:])
		if n += read; err != nil {
			return n, err
		}
	}
	return n, nil
}

// some returns bytes of the current frame.
func (r *frameReader) some(content []byte) (int, error) {
	if len(r.ready) > 0 {
		n := copy(content, r.ready)
		r.ready = r.ready[n:]
		return n, nil
	}
	if !r.raw {
		content = content[:min(len(content), r.remaining)]
	}
	n, err := r.from.Read(content)
	if !r.raw {
		r.remaining -= n
	}
	return n, err
}

// arrived reports whether the next frame can be inspected without waiting for the broker.
func (r *frameReader) arrived() bool {
	if r.from.Buffered() < frameHead {
		return false
	}
	kind, channel, size := r.peek()
	return !r.whole(kind, channel, size) || r.from.Buffered() >= frameOverhead+size
}

func (r *frameReader) peek() (kind byte, channel uint16, size int) {
	head, err := r.from.Peek(frameHead)
	if err != nil {
		return 0, 0, 0
	}
	return head[0], binary.BigEndian.Uint16(head[1:3]), int(binary.BigEndian.Uint32(head[3:7]))
}

// whole reports whether a frame must be read completely, since it may need mending.
func (r *frameReader) whole(kind byte, channel uint16, size int) bool {
	return size <= maxHeaderFrame && (kind == frameHeader || kind == frameBody && r.cuts[channel] != nil)
}

// next starts the next frame.
func (r *frameReader) next() error {
	if _, err := r.from.Peek(frameHead); err != nil {
		return err
	}
	kind, channel, size := r.peek()
	switch {
	case kind != frameMethod && kind != frameHeader && kind != frameBody && kind != frameHeartbeat:
		r.raw = true // a broker of another protocol version answers with its own greeting
		return nil
	case !r.whole(kind, channel, size):
		r.remaining = frameOverhead + size
		return nil
	}
	frame, err := r.look(frameOverhead + size)
	if err != nil {
		return err
	}
	if kind == frameBody {
		r.ready = r.shorten(channel, frame)
		return r.discard(frame)
	}
	return r.header(channel, frame)
}

// look returns the whole current frame. It does not consume a frame that fits into the buffer.
func (r *frameReader) look(size int) ([]byte, error) {
	if size <= r.from.Size() {
		return r.from.Peek(size)
	}
	frame := make([]byte, size)
	_, err := io.ReadFull(r.from, frame)
	return frame, err
}

// discard consumes a frame that look has returned.
func (r *frameReader) discard(frame []byte) error {
	if len(frame) > r.from.Size() {
		return nil
	}
	_, err := r.from.Discard(len(frame))
	return err
}

// pass passes a frame that look has returned unchanged.
func (r *frameReader) pass(frame []byte) error {
	if len(frame) > r.from.Size() {
		r.ready = frame
	} else {
		r.remaining = len(frame)
	}
	return nil
}

// header mends a content header if necessary, and records a body that must be cut.
func (r *frameReader) header(channel uint16, frame []byte) error {
	content, ok := parseContentHeader(frame[frameHead : len(frame)-frameTail])
	if !ok {
		return r.pass(frame)
	}
	kept := min(content.bodySize, r.limits.body.Load())
	if err := r.limits.count(kept); err != nil {
		return err
	}
	damage := content.fault(int(r.limits.frame.Load()) - frameOverhead)
	if kept < content.bodySize {
		r.cuts[channel] = &bodyCut{keep: kept, drop: content.bodySize - kept}
	}
	if damage == "" && kept == content.bodySize {
		return r.pass(frame)
	}
	r.ready = encodeFrame(frameHeader, channel, content.mended(damage, kept))
	return r.discard(frame)
}

// shorten removes the dropped part of a body frame.
func (r *frameReader) shorten(channel uint16, frame []byte) []byte {
	cut := r.cuts[channel]
	payload := frame[frameHead : len(frame)-frameTail]
	kept := min(uint64(len(payload)), cut.keep)
	cut.keep -= kept
	cut.drop -= min(cut.drop, uint64(len(payload))-kept)
	if cut.keep == 0 && cut.drop == 0 {
		delete(r.cuts, channel)
	}
	if kept == 0 {
		return nil
	}
	return encodeFrame(frameBody, channel, payload[:kept])
}

func encodeFrame(kind byte, channel uint16, payload []byte) []byte {
	frame := make([]byte, 0, frameOverhead+len(payload))
	frame = append(frame, kind)
	frame = binary.BigEndian.AppendUint16(frame, channel)
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(payload))) //nolint:gosec // bounded by maxHeaderFrame
	frame = append(frame, payload...)
	return append(frame, 0xCE)
}
