package rabbit

// names are those of the exchanges and queues under one prefix.
type names struct{ prefix string }

func (n names) commands() string { return n.prefix + ".commands" }
func (n names) events() string   { return n.prefix + ".events" }
func (n names) dead() string     { return n.prefix + ".dead" } // the exchange and the queue
func (n names) replies() string  { return n.prefix + ".replies" }
func (n names) start() string    { return n.prefix + ".start" }

func (n names) worker(queue string) string { return n.prefix + ".commands." + queue }
