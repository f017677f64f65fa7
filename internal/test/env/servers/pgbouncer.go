package servers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// poolerSettings pool transactions: after each, another client may get the session.
const poolerSettings = `
[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = transaction
default_pool_size = 10
max_client_conn = 500
server_login_retry = 1
%s
`

// Pgbouncer starts a pooler of transactions in front of the Postgres of a URL, and returns the URL that leads through it. More
// settings are lines of its file.
func (s *Session) Pgbouncer(ctx context.Context, databaseURL string, settings ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startup)
	defer cancel()
	u, err := url.Parse(databaseURL)
	if err != nil {
		return "", fmt.Errorf("read the URL of Postgres: %w", err)
	}
	program, err := findPgbouncer()
	if err != nil {
		return "", err
	}
	port, err := FreePort()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(s.dir, fmt.Sprintf("pgbouncer-%d", port))
	owner, err := makeOwned(dir)
	if err != nil {
		return "", err
	}
	password, _ := u.User.Password()
	users, config := filepath.Join(dir, "users"), filepath.Join(dir, "pgbouncer.ini")
	err = errors.Join(
		os.WriteFile(users, fmt.Appendf(nil, "%q %q\n", u.User.Username(), password), 0o600),
		os.WriteFile(config, fmt.Appendf(nil, poolerSettings, u.Hostname(), u.Port(), port, users, strings.Join(settings, "\n")), 0o600),
	)
	if err == nil && owner != nil {
		err = errors.Join(os.Chown(users, int(owner.Uid), int(owner.Gid)), os.Chown(config, int(owner.Uid), int(owner.Gid)))
	}
	if err != nil {
		return "", fmt.Errorf("write the settings of pgbouncer: %w", err)
	}
	p := &process{name: "pgbouncer", dir: dir, argv: []string{program, config}, user: owner}
	if err := s.start(p); err != nil {
		return "", err
	}
	u.Host = fmt.Sprintf("127.0.0.1:%d", port)
	return u.String(), p.await(ctx, func(ctx context.Context) error { return CheckPostgres(ctx, u.String()) })
}

// findPgbouncer returns the program. Debian keeps it out of the PATH of users.
func findPgbouncer() (string, error) {
	const debian = "/usr/sbin/pgbouncer"
	if _, err := os.Stat(debian); err == nil {
		return debian, nil
	}
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		return "", errors.New("no pgbouncer: install the package pgbouncer")
	}
	return program, nil
}
