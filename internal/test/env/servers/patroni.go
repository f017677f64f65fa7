package servers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// patroniSettings keep the times near the smallest that Patroni takes: ttl is how long a dead leader keeps its lease.
const patroniSettings = `
scope: sagas
name: %[1]s
restapi: {listen: "127.0.0.1:%[2]d", connect_address: "127.0.0.1:%[2]d"}
etcd3: {hosts: "127.0.0.1:%[3]d"}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 3
    retry_timeout: 5
    synchronous_mode: true
    postgresql:
      use_pg_rewind: true
      parameters: {max_connections: 300, wal_log_hints: "on"}
  initdb: [{encoding: UTF8}, {locale: C}]
  pg_hba: ["host all all 127.0.0.1/32 scram-sha-256", "host replication all 127.0.0.1/32 scram-sha-256"]
postgresql:
  listen: "127.0.0.1:%[4]d"
  connect_address: "127.0.0.1:%[4]d"
  data_dir: %[5]s/data
  bin_dir: %[6]s
  pgpass: %[5]s/pgpass
  authentication:
    superuser: {username: postgres, password: %[7]s}
    replication: {username: replicator, password: %[7]s}
    rewind: {username: postgres, password: %[7]s}
  parameters: {unix_socket_directories: %[5]s}
watchdog: {mode: "off"}
`

// Patroni is a pair of Postgres servers, of which Patroni makes one the leader. Its leases are in one etcd.
type Patroni struct {
	Members  []Member
	password string
}

// Member is one of the servers, with its Patroni.
type Member struct {
	Name    string
	Dir     string // of Patroni's process
	address string // of Postgres
	api     string
}

// Patroni starts etcd and two members, and waits until the second follows the first synchronously.
func (s *Session) Patroni(ctx context.Context) (*Patroni, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*startup)
	defer cancel()
	bin, err := findPostgres()
	if err != nil {
		return nil, err
	}
	etcd, err := s.etcd(ctx)
	if err != nil {
		return nil, err
	}
	cluster := &Patroni{password: rand.Text()}
	for _, name := range []string{"one", "two"} {
		ports, err := freePorts(2)
		if err != nil {
			return nil, err
		}
		m := Member{
			Name: name, Dir: filepath.Join(s.dir, "patroni-"+name), address: fmt.Sprintf("127.0.0.1:%d", ports[1]),
			api: fmt.Sprintf("http://127.0.0.1:%d", ports[0]),
		}
		owner, err := makeOwned(m.Dir)
		if err != nil {
			return nil, err
		}
		settings := fmt.Appendf(nil, patroniSettings, name, ports[0], etcd, ports[1], m.Dir, bin, cluster.password)
		config := filepath.Join(m.Dir, "patroni.yml")
		if err := os.WriteFile(config, settings, 0o644); err != nil {
			return nil, fmt.Errorf("write the settings of Patroni: %w", err)
		}
		p := &process{name: "Patroni " + name, dir: m.Dir, argv: []string{"patroni", config}, user: owner, env: []string{"LC_ALL=C"}}
		if err := s.start(p); err != nil {
			return nil, err
		}
		s.onClose(m.killPostgres) // Patroni starts it in a session of its own
		path := "/read-write"
		if len(cluster.Members) > 0 {
			path = "/synchronous"
		}
		if err := p.await(ctx, func(ctx context.Context) error { return m.is(ctx, path) }); err != nil {
			return nil, err
		}
		cluster.Members = append(cluster.Members, m)
	}
	return cluster, nil
}

// etcd starts a single etcd and returns the port for clients.
func (s *Session) etcd(ctx context.Context) (int, error) {
	ports, err := freePorts(2)
	if err != nil {
		return 0, err
	}
	dir := filepath.Join(s.dir, "etcd")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, fmt.Errorf("create the directory of etcd: %w", err)
	}
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", ports[0]), fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	p := &process{name: "etcd", dir: dir, argv: []string{
		"etcd", "--name", "one", "--data-dir", filepath.Join(dir, "data"), "--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "one=" + peer,
	}}
	if err := s.start(p); err != nil {
		return 0, err
	}
	return ports[0], p.await(ctx, func(ctx context.Context) error { return answers(ctx, client+"/health") })
}

// URL names both members: clients choose the one that takes writes.
func (c *Patroni) URL() string {
	var addresses []string
	for _, m := range c.Members {
		addresses = append(addresses, m.address)
	}
	return fmt.Sprintf("postgres://postgres:%s@%s/postgres?sslmode=disable&target_session_attrs=read-write", c.password, strings.Join(addresses, ","))
}

// Leader returns the member that takes writes, and the other one.
func (c *Patroni) Leader(ctx context.Context) (leader, other Member, err error) {
	for i, m := range c.Members {
		if m.is(ctx, "/read-write") == nil {
			return m, c.Members[1-i], nil
		}
	}
	return Member{}, Member{}, errors.New("no member is the leader")
}

// Synchronous reports whether a member follows the leader synchronously.
func (c *Patroni) Synchronous(ctx context.Context) bool {
	_, other, err := c.Leader(ctx)
	return err == nil && other.is(ctx, "/synchronous") == nil
}

// Switchover asks the leader to hand over to the other member.
func (c *Patroni) Switchover(ctx context.Context) error {
	leader, other, err := c.Leader(ctx)
	if err != nil {
		return err
	}
	body := strings.NewReader(fmt.Sprintf(`{"leader": %q, "candidate": %q}`, leader.Name, other.Name))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, leader.api+"/switchover", body)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask for a switchover: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask for a switchover: %s", response.Status)
	}
	return nil
}

// Crash kills Patroni and Postgres of the member, as the loss of its machine would. Remove the file hold to start it again.
func (m Member) Crash() error {
	if err := os.WriteFile(filepath.Join(m.Dir, "hold"), nil, 0o600); err != nil {
		return fmt.Errorf("keep Patroni down: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(m.Dir, "pid"))
	if err != nil {
		return fmt.Errorf("read the pid of Patroni: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	m.killPostgres()
	return err
}

// Return starts the member again after a Crash.
func (m Member) Return() error { return os.Remove(filepath.Join(m.Dir, "hold")) }

// killPostgres kills the member's Postgres, if it runs.
func (m Member) killPostgres() {
	text, err := os.ReadFile(filepath.Join(m.Dir, "data", "postmaster.pid"))
	if err != nil {
		return
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return
	}
	name, err := exec.Command("ps", "-o", "comm=", "-p", first).Output()
	if err == nil && strings.HasPrefix(string(name), "postgres") { // the number may belong to another process by now
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// is asks the member's Patroni for a role.
func (m Member) is(ctx context.Context, role string) error { return answers(ctx, m.api+role) }

func answers(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}
