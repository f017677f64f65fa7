package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// rabbitmqSettings keep the log in one place, and the port off the network.
const rabbitmqSettings = `
listeners.tcp.1 = 127.0.0.1:%d
log.console = true
log.console.level = info
log.file = false
`

// findRabbitMQ returns the directory of the server's own scripts. Debian's wrapper on the PATH switches to the user and
// directories of the system's broker; the script itself serves any user.
func findRabbitMQ() (string, error) {
	if _, err := exec.LookPath("epmd"); err != nil {
		return "", errors.New("no RabbitMQ: epmd, which comes with Erlang, is not on the PATH")
	}
	const debian = "/usr/lib/rabbitmq/bin"
	if _, err := os.Stat(filepath.Join(debian, "rabbitmq-server")); err == nil {
		return debian, nil
	}
	script, err := exec.LookPath("rabbitmq-server")
	if err != nil {
		return "", errors.New("no RabbitMQ: rabbitmq-server is not on the PATH")
	}
	return filepath.Dir(script), nil
}

// startRabbitMQ starts a node with its own port mapper and cookie, so that it meets no other node.
func startRabbitMQ(ctx context.Context, s *Session, bin string) (map[string]string, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.dir, "rabbitmq")
	env, err := configureRabbitMQ(dir, ports[0], ports[1], ports[2])
	if err != nil {
		return nil, err
	}
	// Erlang would start a port mapper that outlives the node.
	mapper := &process{name: "epmd", dir: filepath.Join(dir, "epmd"), argv: []string{"epmd"}, env: env}
	if err := s.start(mapper); err != nil {
		return nil, err
	}
	mapper.ready.Store(true)
	// With RABBITMQ_ALLOW_INPUT the script execs the server instead of wrapping it; -noinput turns the input off again.
	argv := []string{filepath.Join(bin, "rabbitmq-server"), "-noinput"}
	p := &process{name: "RabbitMQ", dir: dir, argv: argv, env: append(env, "RABBITMQ_ALLOW_INPUT=true")}
	if err := s.start(p); err != nil {
		return nil, err
	}
	url := fmt.Sprintf("amqp://guest:guest@127.0.0.1:%d/", ports[0])
	if err := p.await(ctx, func(ctx context.Context) error { return CheckRabbitMQ(ctx, url) }); err != nil {
		return nil, err
	}
	return map[string]string{
		"AMQP_URL": url, "TESTENV_RABBITMQ_BIN": bin, "TESTENV_RABBITMQ_DIR": dir,
	}, nil
}

// configureRabbitMQ writes the node's files and returns its settings. The file env has them for rabbitmqctl, as shell
// code.
func configureRabbitMQ(dir string, port, distribution, mapper int) ([]string, error) {
	env := []string{
		"HOME=" + dir, // for the cookie
		"ERL_EPMD_ADDRESS=127.0.0.1",
		fmt.Sprintf("ERL_EPMD_PORT=%d", mapper),
		fmt.Sprintf("RABBITMQ_NODENAME=testenv-%d@localhost", port),
		fmt.Sprintf("RABBITMQ_DIST_PORT=%d", distribution),
		"RABBITMQ_MNESIA_BASE=" + filepath.Join(dir, "data"),
		"RABBITMQ_LOG_BASE=" + filepath.Join(dir, "logs"),
		"RABBITMQ_CONF_ENV_FILE=" + filepath.Join(dir, "rabbitmq-env.conf"),
		"RABBITMQ_CONFIG_FILE=" + filepath.Join(dir, "rabbitmq.conf"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + filepath.Join(dir, "plugins"),
		// A short busy wait of the scheduler shortens the start by a quarter.
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +sbwt very_short",
	}
	var script strings.Builder
	for _, setting := range env {
		name, value, _ := strings.Cut(setting, "=")
		fmt.Fprintf(&script, "export %s='%s'\n", name, value)
	}
	files := map[string]string{
		"env":               script.String(),
		"rabbitmq-env.conf": "",
		"rabbitmq.conf":     fmt.Sprintf(rabbitmqSettings, port),
		"plugins":           "[].\n",
	}
	if err := os.MkdirAll(filepath.Join(dir, "epmd"), 0o700); err != nil {
		return nil, fmt.Errorf("create the directories of RabbitMQ: %w", err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return nil, fmt.Errorf("write the settings of RabbitMQ: %w", err)
		}
	}
	return env, nil
}

// CheckRabbitMQ checks that a client can use the server.
func CheckRabbitMQ(_ context.Context, url string) error {
	conn, err := amqp.DialConfig(url, amqp.Config{Dial: amqp.DefaultDial(5 * time.Second)})
	if err != nil {
		return fmt.Errorf("connect to RabbitMQ: %w", err)
	}
	return conn.Close()
}
