package main

import (
	"log/slog"
	"regexp"
	"strings"
)

// discreet takes the secrets out of text that is about to be shown: the user and the password of URLs, also of broken
// ones, passwords in the keyword form, and API keys. The messages of this program have none; those of libraries and of
// the parser of the command line, which repeat what they were given, might.
func discreet(text string) string {
	const example, kept = "://user:password@", "\x00" // what messages show as an example
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

// discreetAttribute is discreet for the attributes of log lines.
func discreetAttribute(_ []string, attribute slog.Attr) slog.Attr {
	switch value := attribute.Value.Any().(type) {
	case string:
		attribute.Value = slog.StringValue(discreet(value))
	case error:
		attribute.Value = slog.StringValue(discreet(value.Error()))
	}
	return attribute
}
