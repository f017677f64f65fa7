package amqpproxy

// closing is the progress of a channel close that the proxy began.
type closing int

const (
	clientTold closing = iota + 1 // until the client agrees, frames that it sends on the channel are dropped
	brokerTold                    // until the broker agrees, frames that it sends on the channel are dropped
)

// CloseChannel closes a channel in the broker's name, and then closes it at the broker in the client's name. Frames that
// the client sends meanwhile are dropped.
func (c *Conn) CloseChannel(channel, code uint16, reason string) {
	c.mu.Lock()
	known := c.closing[channel]
	if known == 0 {
		c.closing[channel] = clientTold
	}
	c.mu.Unlock()
	if known == 0 {
		c.Send(closeChannel(channel, code, reason))
	}
}

// unlessClosing returns the frames of the client that the broker gets.
func (c *Conn) unlessClosing(frames ...Frame) (passed []Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, frame := range frames {
		switch {
		case frame.Channel == 0 || c.closing[frame.Channel] == 0 || frame.Method() == ChannelOpen:
			passed = append(passed, frame)
		case c.closing[frame.Channel] == clientTold && frame.Method() == ChannelCloseOK:
			c.closing[frame.Channel] = brokerTold
			passed = append(passed, closeChannel(frame.Channel, 200, "closed by a proxy"))
		}
	}
	return passed
}

// closedAtBroker reports whether the frame belongs to a channel that the proxy closes, and completes the close.
func (c *Conn) closedAtBroker(frame Frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state := c.closing[frame.Channel]; {
	case frame.Channel == 0 || state == 0:
		return false
	case state == brokerTold && frame.Method() == ChannelCloseOK:
		delete(c.closing, frame.Channel)
	}
	return true
}
