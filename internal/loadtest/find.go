package loadtest

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Querier is a connection to Postgres, or a pool of them.
type Querier interface {
	QueryRow(ctx context.Context, sql string, arguments ...any) pgx.Row
}

// Postmaster returns the pid of the main process of the Postgres server behind a connection; all backends are its children.
// It returns nil if the server runs on another machine, or if its processes cannot be distinguished from another server's.
func (p Processes) Postmaster(ctx context.Context, db Querier) ([]int, error) {
	var backend int
	var database string
	if err := db.QueryRow(ctx, "SELECT pg_backend_pid(), current_database()").Scan(&backend, &database); err != nil {
		return nil, fmt.Errorf("ask Postgres for its process: %w", err)
	}
	// The pid may belong to another machine or container. A backend's title contains the name of its database.
	title, err := fs.ReadFile(p.proc, fmt.Sprintf("%d/cmdline", backend))
	if err != nil || !strings.Contains(string(title), " "+database+" ") {
		return nil, nil //nolint:nilerr // there is no such process here: the server runs elsewhere
	}
	one, err := p.stat(backend)
	if err != nil || one.parent <= 1 {
		return nil, nil //nolint:nilerr // as above
	}
	return []int{one.parent}, nil
}

// Listener returns the pids of the processes that listen on an address such as "127.0.0.1:5672" and have the given name
// ("beam.smp" for RabbitMQ; empty: any name). It returns nil if none is on this machine, or if /proc hides it from this user.
func (p Processes) Listener(address, name string) []int {
	host, service, err := net.SplitHostPort(address)
	if err != nil || !onThisMachine(host) {
		return nil
	}
	port, err := strconv.Atoi(service)
	if err != nil {
		return nil
	}
	sockets := p.listening(port)
	if len(sockets) == 0 {
		return nil
	}
	all := p.all()
	var found []int
	for pid, one := range all {
		if (name == "" || one.name == name) && p.holds(pid, sockets) {
			found = append(found, pid)
		}
	}
	// Children inherit sockets: keep only the parents.
	found = slices.DeleteFunc(found, func(pid int) bool { return slices.Contains(found, all[pid].parent) })
	slices.Sort(found)
	return found
}

// listening returns the sockets that listen on a port, named as in /proc/PID/fd.
func (p Processes) listening(port int) []string {
	const local, state, inode, listens = 1, 3, 9, "0A"
	var sockets []string
	for _, table := range []string{"net/tcp", "net/tcp6"} {
		content, _ := fs.ReadFile(p.proc, table) // net/tcp6 is missing without IPv6
		for line := range strings.Lines(string(content)) {
			fields := strings.Fields(line)
			if len(fields) > inode && fields[state] == listens && strings.HasSuffix(fields[local], fmt.Sprintf(":%04X", port)) {
				sockets = append(sockets, "socket:["+fields[inode]+"]")
			}
		}
	}
	return sockets
}

// holds reports whether a process has one of these sockets open.
func (p Processes) holds(pid int, sockets []string) bool {
	folder := strconv.Itoa(pid) + "/fd"
	open, err := fs.ReadDir(p.proc, folder)
	if err != nil {
		return false
	}
	for _, file := range open {
		if target, err := fs.ReadLink(p.proc, folder+"/"+file.Name()); err == nil && slices.Contains(sockets, target) {
			return true
		}
	}
	return false
}

// onThisMachine reports whether host is "localhost" or an address of this machine.
func onThisMachine(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false // a host name may resolve to any machine
	}
	if ip.IsLoopback() {
		return true
	}
	own, _ := net.InterfaceAddrs()
	return slices.ContainsFunc(own, func(a net.Addr) bool {
		network, is := a.(*net.IPNet)
		return is && network.IP.Equal(net.IP(ip.AsSlice()))
	})
}
