package main

import (
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// checkBlank refuses arguments that are given and empty, which in a script is a variable that was not set: a filter or
// a document must not vanish. An empty --database-url, --amqp-url or --key takes back the environment's; the commands
// that need them refuse it themselves.
func checkBlank(arguments []string) error {
	before := ""
	for _, argument := range arguments {
		name, value, assigned := strings.Cut(argument, "=")
		isFlag := strings.HasPrefix(argument, "-")
		switch {
		case isFlag && assigned && strings.TrimSpace(value) == "" && !mayBeEmpty(name):
			return usage("%s must not be empty: leave it out, or give a value", name)
		case strings.TrimSpace(argument) == "" && strings.HasPrefix(before, "-") && !mayBeEmpty(before):
			return usage("%s must not be empty: leave it out, or give a value", before)
		case strings.TrimSpace(argument) == "" && !strings.HasPrefix(before, "-"):
			return usage("an argument is empty")
		}
		before = argument
	}
	return nil
}

func mayBeEmpty(flag string) bool {
	return slices.Contains([]string{"--database-url", "--amqp-url", "--key"}, flag)
}

// ignoreEmptyVariables makes an environment variable that is set, but empty, count as not set.
func ignoreEmptyVariables(k *kong.Kong) error {
	return kong.Visit(k.Model, func(node kong.Visitable, next kong.Next) error {
		if flag, is := node.(*kong.Flag); is {
			flag.Tag.Envs = slices.DeleteFunc(flag.Tag.Envs, func(name string) bool {
				return strings.TrimSpace(os.Getenv(name)) == ""
			})
		}
		return next(nil)
	})
}
