package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// remote holds the flags of every command that calls an orchestrator.
type remote struct {
	Server  serverURL `default:"http://127.0.0.1:8080" env:"ORCHESTRATOR_URL" help:"URL of the orchestrator."`
	Key     string    `env:"ORCHESTRATOR_KEY" help:"API key."`
	KeyFile string    `env:"ORCHESTRATOR_KEY_FILE" type:"path" placeholder:"FILE" help:"File that has the API key."`
	CA      string    `name:"ca-file" env:"ORCHESTRATOR_CA_FILE" type:"path" placeholder:"FILE" help:"Authorities whose certificates the server may have, in PEM; default: those of the system."`
	Cert    string    `name:"client-cert" env:"ORCHESTRATOR_CLIENT_CERT" type:"path" placeholder:"FILE" help:"Certificate of this caller, in PEM, for a server that asks for one."`
	CertKey string    `name:"client-key" env:"ORCHESTRATOR_CLIENT_KEY" type:"path" placeholder:"FILE" help:"Its key, in PEM."`
	Output  string    `default:"table" enum:"table,json" help:"table, or json: the unchanged answer of the API."`

	http     *http.Client  // nil: the default
	answer   []byte        // the last answer, for --output json
	patience time.Duration // with an orchestrator that restarts while progress is shown; 0: the default
}

func (r *remote) client() *client.Client {
	return client.New(client.Config{
		Server: string(r.Server), Key: r.Key, HTTP: r.http, Reconnect: cmp.Or(r.patience, patience),
		Answered: func(content []byte) { r.answer = content },
	})
}

// document returns the JSON document of a flag or an argument: the text itself, @FILE, or - for standard input. Empty is
// nil. Errors begin with the name.
func document(name, text string, in io.Reader) ([]byte, error) {
	var content []byte
	var err error
	switch path, isFile := strings.CutPrefix(text, "@"); {
	case text == "":
		return nil, nil
	case text == "-":
		content, err = io.ReadAll(in)
	case isFile:
		content, err = os.ReadFile(path) //nolint:gosec // the operator names the file
	default:
		content = []byte(text)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	// The check here reports quoting mistakes without a server.
	if err := saga.CheckJSON(content, saga.DefaultJSONLimits()); err != nil {
		return nil, usage("%s: %w", name, err)
	}
	return bytes.TrimSpace(content), nil
}

// file returns the content of a file; - is standard input.
func file(path string, in io.Reader) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(in)
	}
	content, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read the definition: %w", err)
	}
	return content, nil
}
