package main

import (
	"errors"
	"regexp"
	"strings"
)

// saying is a message of the parser of the command line, and what to say instead.
type saying struct{ pattern, instead string }

// sayings returns the messages that do not say what a flag takes.
func sayings() []saying {
	return []saying{
		{`^(.*): expected .* value but got "EOL" \(<EOL>\)$`, "$1 needs a value"},
		{`^(.*): missing value, expecting ".*"$`, "$1 needs a value"},
		{`^(.*): expected a valid \d+ bit u?int but got (.*)$`, "$1: must be a whole number, not $2"},
		{`^(.*): expected an? (?:u?int|integer)\d* but got (.*?)(?: \(.*\))?$`, "$1: must be a whole number, not $2"},
		{`^(.*): expected a (?:valid \d+ bit )?float but got (.*?)(?: \(.*\))?$`, "$1: must be a number, not $2"},
		{`^(.*): (?:bool value must be|expected bool but got) .*?(".*")(?: \(.*\))?$`, "$1: must be true or false, not $2"},
		{`^(.*): expected duration but got (.*?): .*$`, "$1: must be a duration such as 30s or 15m, not $2"},
		{`^(.*): parsing time (".*?") as .*$`, "$1: must be a time such as 2026-11-23T10:00:00Z, not $2"},
		{`^expected "(.*)"$`, "an argument is missing: $1"},
	}
}

// clearer returns an error of the parser that names the flag and what it takes.
func clearer(err error) error {
	text := err.Error()
	if found := regexp.MustCompile(`^(\S+) must be one of (.*) but got (.*)$`).FindStringSubmatch(text); found != nil {
		choices := strings.Split(strings.TrimPrefix(strings.ReplaceAll(found[2], `"`, ""), ","), ",") // an optional flag begins with an empty choice
		last := len(choices) - 1
		return errors.New(found[1] + ": must be " + strings.Join(choices[:last], ", ") + " or " + choices[last] + ", not " + found[3])
	}
	for _, one := range sayings() {
		if pattern := regexp.MustCompile(one.pattern); pattern.MatchString(text) {
			return errors.New(pattern.ReplaceAllString(text, one.instead))
		}
	}
	return err
}

// settingNames returns how errors of other packages name settings, for their users in Go, and the flags instead.
func settingNames() []saying {
	return []saying{
		{`^listen address\b`, "--listen"},
		{`^base path\b`, "--base-path"},
		{`^session key:`, "--session-key:"},
		{`^AMQP prefix:`, "--amqp-prefix:"},
		{`^AMQP URL:`, "--amqp-url:"},
		{`\bthe database URL is\b`, "--database-url is"},
		{`^TLS: client certificates need TLS: set a certificate and a key, too`, "--tls-client-ca needs TLS: set --tls-cert and --tls-key, too"},
		{`^TLS: a certificate needs a key and a key needs a certificate:`, "--tls-cert and --tls-key go together:"},
		{`^payload keys:`, "--payload-keys-file:"},
		{`^repliers\b`, "--repliers"},
		{`^kafka topic:`, "--kafka-topic:"},
		{`^OIDC: with auth none`, "--oidc-issuer: with --auth none"},
		{`^OIDC: issuer:`, "--oidc-issuer:"},
		{`^OIDC: client id:`, "--oidc-client-id:"},
		{`^OIDC: redirect URL:`, "--oidc-redirect-url:"},
		{`^OIDC: role claim:`, "--oidc-role-claim:"},
		{`^OIDC: roles:`, "--oidc-roles:"},
		{`^fail rate (\S+):`, "--fail-rate: not $1,"},
		{`^(\S+) steps:`, "--steps: not $1,"},
		{`^payload of (\S+) bytes:`, "--payload: not $1,"},
		{`^(data|timeout):`, "--$1:"},
	}
}

// byFlag returns an error of a setting that names its flag.
func byFlag(err error) error {
	for _, one := range settingNames() {
		if pattern := regexp.MustCompile(one.pattern); pattern.MatchString(err.Error()) {
			return errors.New(pattern.ReplaceAllString(err.Error(), one.instead))
		}
	}
	return err
}
