package main

import (
	"fmt"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// The colours of a terminal. Each has a text or a mark beside it, so that none carries a meaning alone.
const (
	noColour = 0
	red      = 31
	green    = 32
	yellow   = 33
	blue     = 34
	grey     = 90
)

// paint colours a text, if the picture has colours.
func (p picture) paint(colour int, text string) string {
	if !p.colour || colour == noColour {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", colour, text)
}

func statusColour(s saga.Status) int {
	switch s {
	case saga.Completed:
		return green
	case saga.Stuck, saga.Abandoned:
		return red
	case saga.Compensating, saga.Compensated, saga.Paused:
		return yellow
	case saga.Running, saga.Scheduled:
		return blue
	default:
		return noColour
	}
}

func stepColour(s saga.StepStatus) int {
	switch s {
	case saga.StepSucceeded, saga.StepSkipped:
		return green
	case saga.StepFailed, saga.StepCompensationFailed, saga.StepUnknown:
		return red
	case saga.StepRetrying, saga.StepCompensating, saga.StepCompensated:
		return yellow
	case saga.StepRunning:
		return blue
	case saga.StepPending:
		return grey
	default:
		return noColour
	}
}

func cellColour(c rune) int {
	switch c {
	case '█':
		return blue
	case '░':
		return yellow
	case markDone, markSkipped:
		return green
	case markFailed, markUnknown:
		return red
	default:
		return noColour
	}
}
