// Program with-servers runs a command with DATABASE_URL and AMQP_URL set.
//
//	with-servers -- go test ./...    run the command, stop the servers, exit with the command's code
//	with-servers                     keep the servers up until interrupted, for use from another terminal
//
// A variable that is already set is used as it is. For a missing one, a private server is started, in its own directory
// and on free ports of the loopback interface: from installed programs; else from Debian packages that it installs, as
// root on Debian; else with Docker. Everything is removed when the program ends, even after a kill.
//
// The command also gets TESTENV_POSTGRES_DIR and TESTENV_RABBITMQ_DIR, with the files pid, log and, for RabbitMQ, env
// (the settings for rabbitmqctl). A server that dies is restarted unless a file named hold exists.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/test/env/servers"
)

// notProvided is the exit code when no servers are available.
const notProvided = 2

func main() {
	command := os.Args[1:]
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	go watchParent(cancel)
	code := run(ctx, command)
	stop()
	cancel()
	os.Exit(code)
}

// run starts the servers, runs the command or waits, and stops the servers. It returns the exit code.
func run(ctx context.Context, command []string) int {
	s, err := servers.Open("")
	if err != nil {
		say("%v", err)
		return notProvided
	}
	defer s.Close()
	begin := time.Now()
	env, err := s.Provide(ctx)
	if errors.Is(ctx.Err(), context.Canceled) {
		return 128 + int(syscall.SIGINT)
	}
	if err != nil {
		say("%v", err)
		return notProvided
	}
	say("servers up in %.1f s", time.Since(begin).Seconds())
	if len(command) > 0 {
		return s.Run(ctx, command, env)
	}
	for _, variable := range []string{"DATABASE_URL", "AMQP_URL"} {
		fmt.Printf("export %s='%s'\n", variable, env[variable])
	}
	say("running until interrupted")
	<-ctx.Done()
	return 0
}

// watchParent cancels the run when the parent process has ended: `go run` dies of SIGTERM without passing it on.
func watchParent(cancel func()) {
	for parent := os.Getppid(); os.Getppid() == parent; time.Sleep(500 * time.Millisecond) {
	}
	cancel()
}

// say prints to the terminal; standard output belongs to the command.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "with-servers: "+format+"\n", args...)
}
