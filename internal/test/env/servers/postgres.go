package servers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgresSettings keep the durability settings (fsync, synchronous_commit) of production.
const postgresSettings = `
listen_addresses = '127.0.0.1'
port = %d
unix_socket_directories = '%s'
max_connections = 300
log_min_messages = warning
`

// findPostgres returns the directory of the newest installed programs, which Debian does not put on the PATH.
func findPostgres() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", fmt.Errorf("look for Postgres: %w", err)
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // a name without a number counts as oldest
		return n
	}
	if len(found) > 0 {
		newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
		return filepath.Dir(newest), nil
	}
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		return "", errors.New("no Postgres: initdb is neither in /usr/lib/postgresql/*/bin nor on the PATH")
	}
	return filepath.Dir(initdb), nil
}

// startPostgres creates a cluster in the session's directory and starts a server on it.
func startPostgres(ctx context.Context, s *Session, bin string) (map[string]string, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.dir, "postgres")
	owner, err := makeOwned(dir)
	if err != nil {
		return nil, err
	}
	password, data := rand.Text(), filepath.Join(dir, "data")
	if err := initdb(ctx, bin, dir, password, owner); err != nil {
		return nil, err
	}
	p := &process{name: "Postgres", dir: dir, argv: []string{filepath.Join(bin, "postgres"), "-D", data}, user: owner}
	conf, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("open the settings of Postgres: %w", err)
	}
	_, err = fmt.Fprintf(conf, postgresSettings, port, dir)
	if err := errors.Join(err, conf.Close()); err != nil {
		return nil, fmt.Errorf("write the settings of Postgres: %w", err)
	}
	if err := s.start(p); err != nil {
		return nil, err
	}
	url := fmt.Sprintf("postgres://postgres:%s@127.0.0.1:%d/postgres?sslmode=disable", password, port)
	if err := p.await(ctx, func(ctx context.Context) error { return CheckPostgres(ctx, url) }); err != nil {
		return nil, err
	}
	return map[string]string{
		"DATABASE_URL": url, "TESTENV_POSTGRES_BIN": bin, "TESTENV_POSTGRES_DIR": dir, "TESTENV_POSTGRES_DATA": data,
	}, nil
}

// initdb creates the cluster, with a password because other users of this machine can reach the port.
func initdb(ctx context.Context, bin, dir, password string, owner *syscall.Credential) error {
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(password), 0o600); err != nil {
		return fmt.Errorf("write the password of Postgres: %w", err)
	}
	if owner != nil {
		if err := os.Chown(secret, int(owner.Uid), int(owner.Gid)); err != nil {
			return fmt.Errorf("give the password of Postgres to its user: %w", err)
		}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "postgres",
		"--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--pwfile="+secret, "--no-sync")
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Setpgid: true, Credential: owner}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("create a Postgres cluster with initdb: %w\n%s", err, out)
	}
	return nil
}

// makeOwned creates a directory for Postgres, which refuses to run as root. It returns the user to run it as; nil: the
// current one.
func makeOwned(dir string) (*syscall.Credential, error) {
	if err := os.Mkdir(dir, 0o711); err != nil {
		return nil, fmt.Errorf("create a directory for Postgres: %w", err)
	}
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("find a user to run Postgres as: %w", err)
	}
	uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr, os.Chown(dir, int(uid), int(gid))); err != nil {
		return nil, fmt.Errorf("give the directory of Postgres to user %s: %w", account.Username, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// CheckPostgres checks that a client can use the server.
func CheckPostgres(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect to Postgres: %s", strings.TrimSpace(err.Error()))
	}
	return conn.Close(ctx)
}
