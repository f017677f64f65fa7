package loadtest

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the CPU times in /proc: USER_HZ of Linux, a hundredth of a second on all architectures.
const tick = time.Second / 100

// Processes reads process data from Linux's /proc. On other systems it finds no process.
type Processes struct{ proc fs.FS }

// Local returns the processes of this machine.
func Local() Processes { return Processes{proc: os.DirFS("/proc")} }

// process is the state of a process at one moment.
type process struct {
	pid    int
	parent int
	name   string
	cpu    time.Duration // of the process and of its children that have ended and were waited for
}

// stat reads /proc/PID/stat.
func (p Processes) stat(pid int) (process, error) {
	content, err := fs.ReadFile(p.proc, fmt.Sprintf("%d/stat", pid))
	if err != nil {
		return process{}, fmt.Errorf("read what process %d has used: %w", pid, err)
	}
	return parseStat(content)
}

// parseStat parses a line such as "42 (beam.smp) S 1 …". The name may contain any character, including spaces and
// parentheses.
func parseStat(content []byte) (process, error) {
	opens, closes := bytes.IndexByte(content, '('), bytes.LastIndexByte(content, ')')
	if opens < 1 || closes < opens {
		return process{}, fmt.Errorf("read the state of a process: %q has no name", content)
	}
	fields := strings.Fields(string(content[closes+1:]))
	const parent, utime, cstime = 1, 11, 14 // indexes after the name, where 0 is the state
	if len(fields) <= cstime {
		return process{}, fmt.Errorf("read the state of a process: %q is too short", content)
	}
	numbers := make([]int64, 0, 6)
	for _, field := range append([]string{strings.TrimSpace(string(content[:opens])), fields[parent]}, fields[utime:cstime+1]...) {
		number, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return process{}, fmt.Errorf("read the state of a process: %w", err)
		}
		numbers = append(numbers, number)
	}
	return process{
		pid: int(numbers[0]), parent: int(numbers[1]), name: string(content[opens+1 : closes]),
		cpu: time.Duration(numbers[2]+numbers[3]+numbers[4]+numbers[5]) * tick,
	}, nil
}

// all returns every process by pid, except those that end while it reads.
func (p Processes) all() map[int]process {
	found := make(map[int]process)
	entries, _ := fs.ReadDir(p.proc, ".") // without /proc there are no processes
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if one, err := p.stat(pid); err == nil {
			found[pid] = one
		}
	}
	return found
}

// Resident returns the resident memory of a process in bytes, or 0 if it is unknown.
func (p Processes) Resident(pid int) int64 { return p.status(pid, "VmRSS:") }

// Peak returns the peak resident memory of a process in bytes, or 0 if it is unknown.
func (p Processes) Peak(pid int) int64 { return p.status(pid, "VmHWM:") }

// status reads a line such as "VmHWM:   12345 kB" of /proc/PID/status.
func (p Processes) status(pid int, name string) int64 {
	content, err := fs.ReadFile(p.proc, fmt.Sprintf("%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(content)) {
		if value, is := strings.CutPrefix(line, name); is {
			kilobytes, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}
