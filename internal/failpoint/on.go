//go:build failpoints

package failpoint

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrInjected is the error of the action error.
var ErrInjected = errors.New("injected by a failpoint")

// armed holds the parsed FAILPOINTS. It is parsed once because places are visited often.
var armed = sync.OnceValue(func() map[string]*point {
	points, err := parse(os.Getenv("FAILPOINTS"))
	if err != nil {
		panic(err)
	}
	return points
})

// point is one place and its action.
type point struct {
	action      string
	pause       time.Duration
	only        int64   // the visit that acts; 0: every visit
	probability float64 // 0: always
	reached     atomic.Int64
}

// Reach marks a place at which the process may crash or stop.
func Reach(name string) { _ = Error(name) }

// Error marks a place at which finished work may also be reported as failed.
func Error(name string) error {
	p, found := armed()[name]
	if !found || !p.due() {
		return nil
	}
	note(name + " " + p.action)
	switch p.action {
	case "exit":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way
	case "stop":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case "sleep":
		time.Sleep(p.pause)
	case "error":
		return fmt.Errorf("%s: %w", name, ErrInjected)
	}
	return nil
}

func (p *point) due() bool {
	n := p.reached.Add(1)
	return (p.only == 0 || n == p.only) && (p.probability == 0 || rand.Float64() < p.probability)
}

// note logs an action, so that tests can verify that it happened.
func note(line string) {
	path := os.Getenv("FAILPOINTS_LOG")
	if path == "" {
		return
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return
	}
	defer file.Close()
	fmt.Fprintln(file, line)
}

func parse(text string) (map[string]*point, error) {
	points := make(map[string]*point)
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ';' }) {
		name, action, found := strings.Cut(one, "=")
		if !found {
			return nil, fmt.Errorf("failpoint %q: want name=action", one)
		}
		p := &point{}
		var err error
		if before, chance, found := strings.Cut(action, "%"); found {
			action = before
			p.probability, err = strconv.ParseFloat(chance, 64)
		}
		if before, number, found := strings.Cut(action, "@"); found && err == nil {
			action = before
			p.only, err = strconv.ParseInt(number, 10, 64)
		}
		if before, pause, found := strings.Cut(action, ":"); found && err == nil {
			action = before
			p.pause, err = time.ParseDuration(pause)
		}
		if err != nil {
			return nil, fmt.Errorf("failpoint %q: %w", one, err)
		}
		p.action = action
		points[name] = p
	}
	return points, nil
}
