package main

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// The types of flags that have limits. They are checked where they are read, so that the limits hold for flags and for
// environment variables alike.

// pageSize is how many items of a list are asked for.
type pageSize int

// UnmarshalText is called by the parser.
func (p *pageSize) UnmarshalText(text []byte) (err error) {
	*p, err = whole[pageSize](text, 1, 500)
	return err
}

// versionNumber is a version of a definition. Zero is none: it cannot be given.
type versionNumber int

// UnmarshalText is called by the parser.
func (v *versionNumber) UnmarshalText(text []byte) (err error) {
	*v, err = whole[versionNumber](text, 1, math.MaxInt32)
	return err
}

// queueDepth is a number of commands in a queue.
type queueDepth int

// UnmarshalText is called by the parser.
func (d *queueDepth) UnmarshalText(text []byte) (err error) {
	*d, err = whole[queueDepth](text, 0, math.MaxInt32)
	return err
}

// priority is that of a saga's commands.
type priority uint8

// UnmarshalText is called by the parser.
func (p *priority) UnmarshalText(text []byte) error {
	number, err := whole[int](text, 0, 9)
	*p = priority(number)
	return err
}

// positiveDuration is a time to wait, or to allow.
type positiveDuration time.Duration

// UnmarshalText is called by the parser.
func (d *positiveDuration) UnmarshalText(text []byte) error {
	given, err := time.ParseDuration(string(text))
	if err != nil || given <= 0 || given > saga.MaxDuration {
		return fmt.Errorf("must be a positive duration such as 30s, at most %s", saga.MaxDuration)
	}
	*d = positiveDuration(given)
	return nil
}

// serverURL is where an orchestrator is.
type serverURL string

// UnmarshalText is called by the parser.
func (s *serverURL) UnmarshalText(text []byte) error {
	given, err := url.Parse(string(text))
	if err != nil || given.Host == "" || given.Scheme != "http" && given.Scheme != "https" {
		return errors.New("must be a URL such as http://host:port") // the parser's own error may repeat a password
	}
	*s = serverURL(text)
	return nil
}

// whole reads a whole number within limits.
func whole[T ~int](text []byte, least, most int) (T, error) {
	number, err := strconv.Atoi(string(text))
	if err != nil || number < least || number > most {
		return 0, fmt.Errorf("must be a whole number from %d to %d", least, most)
	}
	return T(number), nil
}

// overdueAfter is a time without progress; negative means never.
type overdueAfter time.Duration

// UnmarshalText is called by the parser.
func (o *overdueAfter) UnmarshalText(text []byte) error {
	given, err := time.ParseDuration(string(text))
	if err != nil || given >= 0 && given < time.Second || given > saga.MaxDuration {
		return fmt.Errorf("must be a duration from 1s to %s such as 15m, or a negative one: never", saga.MaxDuration)
	}
	*o = overdueAfter(given)
	return nil
}
