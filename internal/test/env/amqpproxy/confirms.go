package amqpproxy

import (
	"slices"
	"time"
)

// Confirmation changes the broker's confirm of one message. The zero value passes it on.
type Confirmation struct {
	Never    bool          // drop it
	Negative bool          // turn it into a refusal
	After    time.Duration // delay it, so that others overtake it
}

// channelState holds the unconfirmed messages of a channel in confirm mode.
type channelState struct {
	last uint64
	open map[uint64][2]string // exchange and key, by tag
}

func (c *Conn) notePublished(frame Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch frame.Method() {
	case ChannelOpen:
		c.published[frame.Channel] = &channelState{open: make(map[uint64][2]string)}
	case BasicPublish:
		state := c.published[frame.Channel]
		if state == nil {
			return
		}
		exchange, key := frame.RoutingKey()
		state.last++
		state.open[state.last] = [2]string{exchange, key}
	}
}

// confirmed splits a confirm of the broker by message. It returns the confirms that the client gets at once.
func (c *Conn) confirmed(frame Frame, decide func(exchange, key string) Confirmation) []Frame {
	tag, multiple := frame.confirmation()
	c.mu.Lock()
	defer c.mu.Unlock()
	state := c.published[frame.Channel]
	if state == nil {
		return []Frame{frame}
	}
	var tags []uint64
	for open := range state.open {
		if open == tag || multiple && open < tag {
			tags = append(tags, open)
		}
	}
	slices.Sort(tags)
	var now []Frame
	for _, tag := range tags {
		place := state.open[tag]
		delete(state.open, tag)
		verdict := decide(place[0], place[1])
		answer := Ack(frame.Channel, tag)
		if verdict.Negative || frame.Method() == BasicNack {
			answer = Nack(frame.Channel, tag)
		}
		switch {
		case verdict.Never:
		case verdict.After > 0:
			c.proxy.Work.Go(func() {
				time.Sleep(verdict.After) // a proxy that delays has to wait
				c.Send(answer)
			})
		default:
			now = append(now, answer)
		}
	}
	return now
}
