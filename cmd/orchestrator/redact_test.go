package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// secretURLs returns URLs with the password Sec@rxt/99%zz, or a part of it, in every form that a user might write.
func secretURLs() []string {
	return []string{
		"postgres://app:Sec@rxt/99%zz@127.0.0.1:1/db", "postgres://app:Sec@rxt/99%zz@/db", "postgres://app:Sec%zzrxt@127.0.0.1:1/db",
		"postgres://app:Sec rxt@127.0.0.1:1/db", "postgres://app:Secrxt@127.0.0.1:port/db", "postgresql://app:Sec#rxt?99@127.0.0.1:1/db",
		"host=127.0.0.1 port=1 user=app password=Secrxt dbname=db sslmode=wrong", "host=127.0.0.1 port=x password='Sec rxt' user=app",
		"host=127.0.0.1 port=1 password=Sec'rxt user=app dbname", "postgres://127.0.0.1:1/db?user=app&password=Secrxt&sslmode=wrong",
		"app:Secrxt@127.0.0.1/db", "postgres://app:Secrxt@127.0.0.1:1/db", "host=127.0.0.1 port=1 user=app password=Secrxt dbname=db",
	}
}

func TestNoCommandRepeatsAPassword(t *testing.T) {
	t.Parallel()
	const broker = "amqp://127.0.0.1:1/"
	commands := map[string]func(url string) []string{
		"serve":        func(url string) []string { return []string{"serve", "--database-url", url, "--amqp-url", broker} },
		"migrate up":   func(url string) []string { return []string{"migrate", "up", "--database-url", url} },
		"migrate down": func(url string) []string { return []string{"migrate", "down", "--database-url", url} },
		"status":       func(url string) []string { return []string{"migrate", "status", "--database-url", url} },
		"keys":         func(url string) []string { return []string{"keys", "list", "--database-url", url} },
		"keys create": func(url string) []string {
			return []string{"keys", "create", "--role=viewer", "--name=x", "--database-url", url}
		},
		"bench":        func(url string) []string { return []string{"bench", "--database-url", url, "--amqp-url", broker} },
		"misplaced":    func(url string) []string { return []string{"migrate", "up", url} },
		"unknown flag": func(url string) []string { return []string{"serve", "--databse-url=" + url} },
		"unknown":      func(url string) []string { return []string{url} },
		"wrong type":   func(url string) []string { return []string{"dev", "--overdue-after", url} },
		"wrong word":   func(url string) []string { return []string{"dev", "--log-level", url} },
		"server": func(url string) []string {
			return []string{"queues", "--server", strings.Replace(url, "postgres", "http", 1)}
		},
		"broker": func(url string) []string {
			return []string{"serve", "--database-url=" + url, "--amqp-url", strings.Replace(url, "postgres", "amqp", 1)}
		},
		"worker": func(url string) []string {
			return []string{"bench-worker", "--amqp-url", strings.Replace(url, "postgres", "xamqp", 1) + ":x"}
		},
		"listen":        func(url string) []string { return []string{"dev", "--listen", url} },
		"help and flag": func(url string) []string { return []string{"serve", "--help", "--database-url", url} },
	}
	for name, command := range commands {
		for _, url := range secretURLs() {
			if name == "listen" && !strings.Contains(url, "://") || name == "wrong word" && !strings.Contains(url, "://") ||
				(name == "unknown" || name == "misplaced" || name == "wrong type") && strings.HasPrefix(url, "app:") {
				continue // it is not recognizable as a URL
			}
			r := execute(t, "", command(url)...)
			for _, part := range []string{"Sec", "rxt", "99", "zz"} {
				assert.NotContains(t, r.out+r.err, part, "%s %s", name, url)
			}
		}
	}
}

func TestNoCommandRepeatsAKey(t *testing.T) {
	t.Parallel()
	const key = "sk_abcdefghijklmnopqrstuvwxyz0123456789"
	for _, line := range [][]string{
		{"queues", "--server", "http://127.0.0.1:1", "--key", key},
		{"queues", "--server", "http://127.0.0.1:1", "--key", key + "\n"},
		{"queues", key},
		{"keys", "revoke", "--server", "http://127.0.0.1:1", "--database-url=", key},
		{key},
		{"queues", "--kye=" + key},
		{"queues", "--help", "--key", key},
	} {
		r := execute(t, "", line...)
		assert.NotContains(t, r.out+r.err, "abcdefgh", "%v", line)
	}
}

func TestLogLinesDoNotContainSecrets(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		var written strings.Builder
		flags := serverFlags{LogFormat: format, LogLevel: "info"}
		log, _ := flags.logger(&streams{err: &written})
		log.Info("cannot connect", "error", assert.AnError, "url", "amqp://app:Sec@ret@host/", "dsn", "host=h password=Secret", "retry_in", time.Second)
		assert.NotContains(t, written.String(), "Sec")
		assert.Contains(t, written.String(), "host=h")
		assert.Regexp(t, `retry_in"?[:=]"?1s"?`, written.String())
	}
}
