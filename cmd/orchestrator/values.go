package main

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/server"
)

// The types of flags with limits. The parser checks them, also for environment variables.

// pageSize is the maximum number of items in a page.
type pageSize int

// UnmarshalText parses the value.
func (p *pageSize) UnmarshalText(text []byte) (err error) {
	*p, err = whole[pageSize](text, 1, 500)
	return err
}

// versionNumber is a version of a definition, 1 or more.
type versionNumber int

// UnmarshalText parses the value.
func (v *versionNumber) UnmarshalText(text []byte) (err error) {
	*v, err = whole[versionNumber](text, 1, math.MaxInt32)
	return err
}

// queueDepth is a number of commands in a queue.
type queueDepth int

// UnmarshalText parses the value.
func (d *queueDepth) UnmarshalText(text []byte) (err error) {
	*d, err = whole[queueDepth](text, 0, math.MaxInt32)
	return err
}

// priority is the priority of a saga's commands.
type priority uint8

// UnmarshalText parses the value.
func (p *priority) UnmarshalText(text []byte) error {
	number, err := whole[int](text, 0, 9)
	*p = priority(number) //nolint:gosec // 0 to 9, or an error
	return err
}

// bulkCount is a number of targets of a bulk action.
type bulkCount int

// UnmarshalText parses the value.
func (c *bulkCount) UnmarshalText(text []byte) (err error) {
	*c, err = whole[bulkCount](text, 1, 100_000)
	return err
}

// bulkRate is a number of targets per second.
type bulkRate float64

// UnmarshalText parses the value.
func (r *bulkRate) UnmarshalText(text []byte) error {
	given, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(given >= record.MinBulkRate && given <= record.MaxBulkRate) { // NaN is neither
		return fmt.Errorf("must be a number from %g to %d", record.MinBulkRate, record.MaxBulkRate)
	}
	*r = bulkRate(given)
	return nil
}

// positiveDuration is a duration above zero.
type positiveDuration time.Duration

// UnmarshalText parses the value.
func (d *positiveDuration) UnmarshalText(text []byte) error {
	given, err := parseDuration(string(text))
	if err != nil || given <= 0 || given > saga.MaxDuration {
		return fmt.Errorf("must be a positive duration such as 30s, at most %s", saga.MaxDuration)
	}
	*d = positiveDuration(given)
	return nil
}

// parseDuration parses a duration. It may be written in whole days.
func parseDuration(text string) (time.Duration, error) {
	days, written := strings.CutSuffix(text, "d")
	if !written {
		return time.ParseDuration(text)
	}
	number, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%s is not a number of days", text)
	}
	return time.Duration(number) * 24 * time.Hour, nil
}

// serverURL is the URL of an orchestrator.
type serverURL string

// UnmarshalText parses the value.
func (s *serverURL) UnmarshalText(text []byte) error {
	given, err := url.Parse(string(text))
	if err != nil || given.Host == "" || given.Scheme != "http" && given.Scheme != "https" {
		return errors.New("must be a URL such as http://host:port") // the error of url.Parse may repeat a password
	}
	*s = serverURL(text)
	return nil
}

// whole parses a whole number within limits.
func whole[T ~int](text []byte, least, most int) (T, error) {
	number, err := strconv.Atoi(string(text))
	if err != nil || number < least || number > most {
		return 0, fmt.Errorf("must be a whole number from %d to %d", least, most)
	}
	return T(number), nil
}

// overdueAfter is a time without progress; a negative one means never.
type overdueAfter time.Duration

// UnmarshalText parses the value.
func (o *overdueAfter) UnmarshalText(text []byte) error {
	given, err := parseDuration(string(text))
	if err != nil || given >= 0 && given < time.Second || given > saga.MaxDuration {
		return fmt.Errorf("must be a duration from 1s to %s such as 15m, or negative for never", saga.MaxDuration)
	}
	*o = overdueAfter(given)
	return nil
}

// retention is how long something is kept, with the unit d for days; 0 means no limit.
type retention time.Duration

// UnmarshalText parses the value.
func (r *retention) UnmarshalText(text []byte) error {
	age, ok := saga.ParseAge(string(text))
	if !ok {
		return fmt.Errorf("must be a duration from %s to %dd such as 720h or 30d, or 0 for no limit", saga.MinRetentionAge, saga.MaxRetentionDays)
	}
	*r = retention(max(age, 0))
	return nil
}

// retentionInterval is the time between two rounds of deletion.
type retentionInterval time.Duration

// UnmarshalText parses the value.
func (i *retentionInterval) UnmarshalText(text []byte) error {
	given, err := parseDuration(string(text))
	if err != nil || given < time.Second || given > 24*time.Hour {
		return errors.New("must be a duration from 1s to 24h such as 1m")
	}
	*i = retentionInterval(given)
	return nil
}

// healthInterval is the time between two checks of the health of queues.
type healthInterval time.Duration

// UnmarshalText parses the value.
func (i *healthInterval) UnmarshalText(text []byte) error {
	given, err := parseDuration(string(text))
	if err != nil || given < time.Second || given > time.Hour {
		return errors.New("must be a duration from 1s to 1h such as 30s")
	}
	*i = healthInterval(given)
	return nil
}

// startPoll is the time between two looks for starts by SQL.
type startPoll time.Duration

// UnmarshalText parses the value.
func (p *startPoll) UnmarshalText(text []byte) error {
	given, err := parseDuration(string(text))
	if err != nil || given < server.MinStartPoll || given > server.MaxStartPoll {
		return errors.New("must be a duration from 10ms to 1m such as 250ms")
	}
	*p = startPoll(given)
	return nil
}

// alertAge is the age of a command, with the unit d for days.
type alertAge time.Duration

// UnmarshalText parses the value.
func (a *alertAge) UnmarshalText(text []byte) error {
	age, ok := saga.ParseAge(string(text))
	if !ok || time.Duration(age) < time.Second || time.Duration(age) > saga.MaxDuration {
		return fmt.Errorf("must be a duration from 1s to %s such as 5m", saga.MaxDuration)
	}
	*a = alertAge(age)
	return nil
}

// config returns the value as server.Config has it: negative means no limit.
func (r retention) config() time.Duration {
	if r == 0 {
		return -1
	}
	return time.Duration(r)
}

// keyRate is a limit of requests per second.
type keyRate int

// UnmarshalText parses the value.
func (r *keyRate) UnmarshalText(text []byte) error {
	given, err := strconv.Atoi(string(text))
	if err != nil || given < 0 || given > api.MaxKeyRate {
		return fmt.Errorf("must be a whole number from 0 to %d", api.MaxKeyRate)
	}
	*r = keyRate(given)
	return nil
}
