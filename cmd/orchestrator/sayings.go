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
		choices := strings.Split(strings.ReplaceAll(found[2], `"`, ""), ",")
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
