package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// remote are the flags of every command that calls an orchestrator.
type remote struct {
	Server serverURL `default:"http://127.0.0.1:8080" env:"ORCHESTRATOR_URL" help:"URL of the orchestrator."`
	Key    string    `env:"ORCHESTRATOR_KEY" help:"API key."`
	Output string    `default:"table" enum:"table,json" help:"table for people, json as the API answers."`

	answer []byte // the last one, for --output json
}

func (r *remote) client() *client.Client {
	return client.New(client.Config{
		Server: string(r.Server), Key: r.Key, Answered: func(content []byte) { r.answer = content },
	})
}

// document reads a flag or an argument that is a JSON document: as it stands, @FILE, or - for standard input. Empty is
// none.
func document(text string, in io.Reader) ([]byte, error) {
	var content []byte
	var err error
	switch path, isFile := strings.CutPrefix(text, "@"); {
	case text == "":
		return nil, nil
	case text == "-":
		content, err = io.ReadAll(in)
	case isFile:
		content, err = os.ReadFile(path)
	default:
		content = []byte(text)
	}
	if err != nil {
		return nil, err
	}
	// It is checked here too: a slip of the shell's quoting should not need a server to be seen.
	if err := saga.CheckJSON(content, saga.DefaultJSONLimits()); err != nil {
		return nil, usage("not JSON as it must be: %w", err)
	}
	return bytes.TrimSpace(content), nil
}

// file reads an argument that names a file; - is standard input.
func file(path string, in io.Reader) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(in)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the definition: %w", err)
	}
	return content, nil
}
