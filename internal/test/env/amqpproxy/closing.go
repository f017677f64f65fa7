package amqpproxy

// closing is how far the closing of a channel by the proxy is.
type closing int

const (
	clientTold closing = iota + 1 // until the client agrees, what it sends on the channel goes nowhere
	brokerTold                    // until the broker agrees, its answer is not for the client
)

// CloseChannel closes a channel towards the client as if the broker had, and then towards the broker as if the client
// had. What the client has sent on it meanwhile goes nowhere.
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

// unlessClosing returns what the broker is to get of frames of the client.
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

// closedAtBroker takes the broker's agreement to the closing of a channel.
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
