package servers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Standby starts a standby of the session's Postgres, which replicates it until it is promoted. primary are the
// variables that Own or Provide returned; the standby's variables have the same names.
func (s *Session) Standby(ctx context.Context, primary map[string]string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, startup)
	defer cancel()
	bin := primary["TESTENV_POSTGRES_BIN"]
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.dir, fmt.Sprintf("standby-%d", port))
	owner, err := makeOwned(dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	copying := exec.CommandContext(ctx, filepath.Join(bin, "pg_basebackup"), "-D", data, "-d", primary["DATABASE_URL"],
		"--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync")
	copying.Dir, copying.SysProcAttr = dir, &syscall.SysProcAttr{Setpgid: true, Credential: owner}
	if out, err := copying.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("copy the Postgres cluster: %w\n%s", err, out)
	}
	conf, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("open the settings of the standby: %w", err)
	}
	_, err = fmt.Fprintf(conf, postgresSettings, port, dir) // the last setting counts
	if err := errors.Join(err, conf.Close()); err != nil {
		return nil, fmt.Errorf("write the settings of the standby: %w", err)
	}
	p := &process{name: "standby", dir: dir, argv: []string{filepath.Join(bin, "postgres"), "-D", data}, user: owner}
	if err := s.start(p); err != nil {
		return nil, err
	}
	u, err := url.Parse(primary["DATABASE_URL"])
	if err != nil {
		return nil, fmt.Errorf("read the primary's URL: %w", err)
	}
	u.Host = fmt.Sprintf("127.0.0.1:%d", port)
	if err := p.await(ctx, func(ctx context.Context) error { return CheckPostgres(ctx, u.String()) }); err != nil {
		return nil, err
	}
	return map[string]string{
		"DATABASE_URL": u.String(), "TESTENV_POSTGRES_BIN": bin, "TESTENV_POSTGRES_DIR": dir, "TESTENV_POSTGRES_DATA": data,
	}, nil
}
