package main

import (
	"log/slog"
	"regexp"
	"strings"
	"time"
)

// redact removes secrets from text: users and passwords in URLs, also in malformed ones, passwords in the keyword form,
// and API keys. Error messages of libraries and of the command line parser may contain them.
func redact(text string) string {
	const example, kept = "://user:password@", "\x00" // an example in help texts
	text = strings.ReplaceAll(text, example, kept)
	for pattern, shown := range map[string]string{
		`(?is)://.*@`: "://…@",
		`(?is)\b(password|passwd|pwd|sslpassword)(\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&]+)`: "$1$2…",
		`\bsk_[A-Za-z0-9_-]{8,}`: "sk_…",
	} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, shown)
	}
	return strings.ReplaceAll(text, kept, example)
}

// redactAttribute applies redact to an attribute of a log line. Durations become text such as 1s: JSON would have nanoseconds.
func redactAttribute(_ []string, attribute slog.Attr) slog.Attr {
	switch value := attribute.Value.Any().(type) {
	case string:
		attribute.Value = slog.StringValue(redact(value))
	case time.Duration:
		attribute.Value = slog.StringValue(value.String())
	case error:
		attribute.Value = slog.StringValue(redact(value.Error()))
	}
	return attribute
}
