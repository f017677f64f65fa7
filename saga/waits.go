package saga

// Wait is what a step waits for instead of a reply to a command.
type Wait string

// The kinds of waits.
const (
	NoWait        Wait = ""       // it sends a command
	WaitForSignal Wait = "signal" // until the signal is given by the API
	WaitDelay     Wait = "delay"  // for a time
	WaitUntil     Wait = "until"  // until a time in the data
	WaitForChild  Wait = "saga"   // until its child saga has ended
)

// Waits returns every kind of wait, and NoWait.
func Waits() []Wait { return []Wait{NoWait, WaitForSignal, WaitDelay, WaitUntil, WaitForChild} }

// Wait returns what the step waits for; NoWait if it sends a command.
func (s *Step) Wait() Wait {
	switch {
	case s.Signal != "":
		return WaitForSignal
	case s.Delay != 0:
		return WaitDelay
	case s.Until != "":
		return WaitUntil
	case s.Saga != "":
		return WaitForChild
	default:
		return NoWait
	}
}

// sends reports whether the step sends commands in that direction.
func (s *Step) sends(direction Direction) bool {
	return s.Wait() == NoWait || direction == Compensate && s.Compensation != ""
}

// signalStep returns the position of the step that waits for the signal, or -1.
func (d *Definition) signalStep(signal string) int {
	for i := range d.Steps {
		if signal != "" && d.Steps[i].Signal == signal {
			return i
		}
	}
	return -1
}

// WaitsForSignal reports whether a step of the definition waits for the signal.
func (d *Definition) WaitsForSignal(signal string) bool { return d.signalStep(signal) >= 0 }
