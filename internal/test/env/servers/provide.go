package servers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// startup limits the start of the servers; on a busy machine RabbitMQ needs a large part of it.
const startup = 5 * time.Minute

// Names of the two servers.
const (
	Postgres = "Postgres"
	RabbitMQ = "RabbitMQ"
)

// server describes one kind of server.
type server struct {
	name     string
	variable string                                      // the environment variable of its URL
	debian   string                                      // the Debian package
	image    image                                       // the container
	find     func() (string, error)                      // the directory of its programs
	check    func(ctx context.Context, url string) error // whether it is usable
	start    func(ctx context.Context, s *Session, bin string) (map[string]string, error)
}

func servers() []server {
	return []server{
		{
			name: Postgres, variable: "DATABASE_URL", debian: "postgresql",
			image: image{
				name: "postgres:16", port: 5432, options: []string{"-e", "POSTGRES_PASSWORD=test"},
				arguments: []string{"-c", "max_connections=300"},
				url:       "postgres://postgres:test@127.0.0.1:%d/postgres?sslmode=disable",
			},
			find: findPostgres, check: CheckPostgres, start: startPostgres,
		},
		{
			name: RabbitMQ, variable: "AMQP_URL", debian: "rabbitmq-server",
			image: image{name: "rabbitmq:3.13", port: 5672, url: "amqp://guest:guest@127.0.0.1:%d/"},
			find:  findRabbitMQ, check: CheckRabbitMQ, start: startRabbitMQ,
		},
	}
}

// Provide makes both servers available and returns their environment variables. It also installs the other programs that
// tests need.
func (s *Session) Provide(ctx context.Context) (map[string]string, error) {
	if err := provideTools(ctx); err != nil {
		return nil, err
	}
	patience := startup
	missing, faults := lacking(servers())
	if len(missing) > 0 && canInstall() {
		var packages []string
		for _, server := range missing {
			packages = append(packages, server.debian)
		}
		if err := install(ctx, packages...); err != nil {
			return nil, err
		}
		missing, faults = lacking(missing)
	}
	if len(missing) > 0 {
		if !hasDocker(ctx) {
			return nil, fmt.Errorf("no servers available: %w; and no Docker engine answers.\nInstall %s, or Docker, "+
				"or set %s to existing servers", faults, list(missing, packageOf), list(missing, variableOf))
		}
		patience = imagePull
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return sideBySide(servers(), func(v server) (map[string]string, error) { return v.up(ctx, s) })
}

// Own starts servers for exclusive use, whatever the environment names: for tests that break them. It starts Postgres,
// RabbitMQ or both, from installed programs.
func (s *Session) Own(ctx context.Context, names ...string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, startup)
	defer cancel()
	wanted := slices.DeleteFunc(servers(), func(v server) bool { return !slices.Contains(names, v.name) })
	return sideBySide(wanted, func(v server) (map[string]string, error) {
		bin, err := v.find()
		if err != nil {
			return nil, err
		}
		return v.start(ctx, s, bin)
	})
}

// sideBySide runs do for several servers concurrently, and merges the variables.
func sideBySide(all []server, do func(server) (map[string]string, error)) (map[string]string, error) {
	env, errs := make([]map[string]string, len(all)), make([]error, len(all))
	var wait sync.WaitGroup
	for i, server := range all {
		wait.Go(func() { env[i], errs[i] = do(server) })
	}
	wait.Wait()
	merged := map[string]string{}
	for _, e := range env {
		maps.Copy(merged, e)
	}
	return merged, errors.Join(errs...)
}

// up starts one server, or waits for the given one.
func (v server) up(ctx context.Context, s *Session) (map[string]string, error) {
	if url := os.Getenv(v.variable); url != "" {
		check := func(ctx context.Context) error { return v.check(ctx, url) }
		if err := poll(ctx, check, nil); err != nil {
			return nil, fmt.Errorf("use the server of %s: %w", v.variable, err)
		}
		return map[string]string{v.variable: url}, nil
	}
	bin, err := v.find()
	if err != nil {
		return startContainer(ctx, s, v)
	}
	return v.start(ctx, s, bin)
}

// lacking returns the servers without a URL and without installed programs, and why.
func lacking(servers []server) ([]server, error) {
	var missing []server
	var faults []error
	for _, server := range servers {
		if os.Getenv(server.variable) != "" {
			continue
		}
		if _, err := server.find(); err != nil {
			missing, faults = append(missing, server), append(faults, err)
		}
	}
	return missing, errors.Join(faults...)
}

func packageOf(s server) string  { return s.debian }
func variableOf(s server) string { return s.variable }

// list joins a property of every server for a sentence.
func list(servers []server, what func(server) string) string {
	var names []string
	for _, server := range servers {
		names = append(names, what(server))
	}
	return strings.Join(names, " and ")
}
