package main

import (
	"fmt"
	"os"
	"strings"
)

// databaseFlags name the database.
type databaseFlags struct {
	DatabaseURL     string `env:"DATABASE_URL" help:"Postgres that stores the sagas."`
	DatabaseURLFile string `env:"DATABASE_URL_FILE" type:"path" placeholder:"FILE" help:"File that has the URL of Postgres."`
}

func (f *databaseFlags) readFile() error {
	return fromFile("database-url", &f.DatabaseURL, &f.DatabaseURLFile)
}

// brokerFlags name the broker.
type brokerFlags struct {
	AMQPURL     string `name:"amqp-url" env:"AMQP_URL" help:"RabbitMQ that delivers commands to workers."`
	AMQPURLFile string `name:"amqp-url-file" env:"AMQP_URL_FILE" type:"path" placeholder:"FILE" help:"File that has the URL of RabbitMQ."`
}

func (f *brokerFlags) readFile() error { return fromFile("amqp-url", &f.AMQPURL, &f.AMQPURLFile) }

// sessionFlags name the key of the page's sessions.
type sessionFlags struct {
	Sessions     string `name:"session-key" env:"ORCHESTRATOR_SESSION_KEY" placeholder:"KEY" help:"Key that encrypts the page's session cookies, at least 32 bytes. Set the same one on every replica; default: random, so a session holds for one process."`
	SessionsFile string `name:"session-key-file" env:"ORCHESTRATOR_SESSION_KEY_FILE" type:"path" placeholder:"FILE" help:"File that has the session key."`
}

func (f *sessionFlags) readFile() error {
	return fromFile("session-key", &f.Sessions, &f.SessionsFile)
}

// payloadFlags name the keys of payloads. There is no flag for the keys themselves: other users of the machine see arguments.
type payloadFlags struct {
	PayloadKeysFile string `env:"ORCHESTRATOR_PAYLOAD_KEYS_FILE" type:"path" placeholder:"FILE" help:"File with keys that encrypt payloads in Postgres: lines of id:base64 of 32 bytes, the current one first; a first line none stores new payloads in clear. Default: payloads are stored in clear."`
	keys            string
}

func (f *payloadFlags) readFile() error {
	return fromFile("payload-keys", &f.keys, &f.PayloadKeysFile)
}

// secretFile is a secret that may be in a file.
type secretFile interface{ readFile() error }

// readFiles reads the files of secrets.
func readFiles(all ...secretFile) error {
	for _, one := range all {
		if err := one.readFile(); err != nil {
			return err
		}
	}
	return nil
}

// maxSecretFile is the most bytes of a file with a secret.
const maxSecretFile = 64 << 10

// fromFile sets a secret to the content of a file, without white space around it, and clears the path. An empty path changes
// nothing.
func fromFile(flag string, secret, file *string) error {
	path := *file
	if path == "" {
		return nil
	}
	*file = ""
	if *secret != "" {
		return fmt.Errorf("--%s and --%s-file are both set: set one", flag, flag)
	}
	content, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("--%s-file: %w", flag, err)
	}
	if *secret = strings.TrimSpace(string(content)); *secret == "" || len(content) > maxSecretFile {
		return fmt.Errorf("--%s-file: %s must have 1 to %d bytes", flag, path, maxSecretFile)
	}
	return nil
}
