package loadtest

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stat returns a line of /proc/PID/stat with the given times, in hundredths of a second.
func stat(pid, parent, name, utime, stime, cutime, cstime string) *fstest.MapFile {
	fields := []string{pid, "(" + name + ")", "S", parent, "1", "1", "0", "-1", "4194560", "9", "9", "0", "0", utime, stime, cutime, cstime, "20", "0"}
	return &fstest.MapFile{Data: []byte(strings.Join(fields, " ") + "\n")}
}

func TestTheNameOfAProcessMayContainAnyCharacter(t *testing.T) {
	t.Parallel()
	one, err := parseStat(stat("42", "7", "a) S (b", "100", "20", "3", "4").Data)
	require.NoError(t, err)
	assert.Equal(t, process{pid: 42, parent: 7, name: "a) S (b", cpu: 1270 * time.Millisecond}, one)
	for _, broken := range []string{"", "42", "42 (x) S 1", ") 1 (", "42 (x) S 1 1 1 0 -1 1 1 1 1 1 a b c d e"} {
		_, err := parseStat([]byte(broken))
		assert.Error(t, err, broken)
	}
}

func TestPeakMemory(t *testing.T) {
	t.Parallel()
	p := Processes{proc: fstest.MapFS{"5/status": {Data: []byte("Name:\tx\nVmPeak:\t  9000 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n")}}}
	assert.Equal(t, int64(2<<20), p.Peak(5))
	assert.Equal(t, int64(1<<10), p.Resident(5))
	assert.Zero(t, p.Peak(6), "there is no such process")
}

// machine returns a /proc in which RabbitMQ (20, with a helper) listens on port 5672 and another program (30) on port 5673.
func machine() fstest.MapFS {
	link := func(target string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink}
	}
	return fstest.MapFS{
		"net/tcp": {Data: []byte("  sl  local_address rem_address   st tx rx tr tm retrnsmt   uid  timeout inode\n" +
			"   0: 0100007F:1628 00000000:0000 0A 0:0 0:0 0 0 0 111 1\n" +
			"   1: 0100007F:1628 0100007F:9999 01 0:0 0:0 0 0 0 112 1\n")},
		"net/tcp6": {Data: []byte("header\n   0: 00000000000000000000000000000000:1629 0:0 0A 0:0 0:0 0 0 0 113 1\n")},
		"20/stat":  stat("20", "1", "beam.smp", "0", "0", "0", "0"), "20/fd/3": link("socket:[111]"),
		"21/stat": stat("21", "20", "beam.smp", "0", "0", "0", "0"), "21/fd/3": link("socket:[111]"),
		"30/stat": stat("30", "1", "proxy", "0", "0", "0", "0"), "30/fd/9": link("socket:[113]"), "30/fd/8": link("/dev/null"),
		"40/stat": stat("40", "1", "client", "0", "0", "0", "0"), "40/fd/5": link("socket:[112]"),
		"self": {Data: []byte("no number")},
	}
}

func TestListenerFindsTheProcessOfAPort(t *testing.T) {
	t.Parallel()
	p := Processes{proc: machine()}
	for _, found := range []struct {
		rule, address, name string
		pids                []int
	}{
		{"the parent of those that share the socket", "127.0.0.1:5672", "beam.smp", []int{20}},
		{"an IPv6 socket serves IPv4, too", "localhost:5673", "", []int{30}},
		{"a process of another name holds the port", "127.0.0.1:5673", "beam.smp", nil},
		{"a free port", "127.0.0.1:5674", "", nil},
		{"an address of another machine", "192.0.2.7:5672", "beam.smp", nil},
		{"a host name", "rabbit.example:5672", "beam.smp", nil},
		{"not an address", "5672", "", nil},
	} {
		assert.ElementsMatch(t, found.pids, p.Listener(found.address, found.name), found.rule)
	}
}

// backend is a Postgres that answers every query with one row, or an error.
type backend struct {
	row []any
	err error
}

func (b backend) QueryRow(context.Context, string, ...any) pgx.Row { return b }

func (b backend) Scan(into ...any) error {
	if b.err != nil {
		return b.err
	}
	for i, value := range b.row {
		switch pointer := into[i].(type) {
		case *int:
			*pointer = value.(int)
		case *int64:
			*pointer = value.(int64)
		case *string:
			*pointer = value.(string)
		}
	}
	return nil
}

func TestThePostmasterIsTheParentOfABackendOfTheDatabase(t *testing.T) {
	t.Parallel()
	p := Processes{proc: fstest.MapFS{
		"50/stat": stat("50", "1", "postgres", "0", "0", "0", "0"),
		"51/stat": stat("51", "50", "postgres", "0", "0", "0", "0"), "51/cmdline": {Data: []byte("postgres: me ours 127.0.0.1(5) SELECT")},
	}}
	pids, err := p.Postmaster(t.Context(), backend{row: []any{51, "ours"}})
	require.NoError(t, err)
	assert.Equal(t, []int{50}, pids)

	pids, err = p.Postmaster(t.Context(), backend{row: []any{51, "theirs"}})
	require.NoError(t, err)
	assert.Empty(t, pids, "the pid belongs to another machine")
	pids, err = p.Postmaster(t.Context(), backend{row: []any{99, "ours"}})
	require.NoError(t, err)
	assert.Empty(t, pids)
	_, err = p.Postmaster(t.Context(), backend{err: errors.New("away")})
	assert.ErrorContains(t, err, "away")
}
