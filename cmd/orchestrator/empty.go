package main

import (
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// refuseEmpty refuses empty arguments, which usually come from an unset variable in a script. An empty --database-url,
// --amqp-url or --key overrides the environment; the commands that require them check them.
func refuseEmpty(arguments []string) error {
	before := ""
	for _, argument := range arguments {
		name, value, assigned := strings.Cut(argument, "=")
		isFlag := strings.HasPrefix(argument, "-")
		switch {
		case isFlag && assigned && strings.TrimSpace(value) == "" && !mayBeEmpty(name):
			return usage("%s must not be empty: omit it, or set a value", name)
		case strings.TrimSpace(argument) == "" && strings.HasPrefix(before, "-") && !mayBeEmpty(before):
			return usage("%s must not be empty: omit it, or set a value", before)
		case strings.TrimSpace(argument) == "" && !strings.HasPrefix(before, "-"):
			return usage("an argument is empty")
		}
		before = argument
	}
	return nil
}

// joinNegative writes a flag and a negative number after it as one argument. The parser would take the number for a short
// flag, and its error would not name the limit of the flag.
func joinNegative(arguments []string) []string {
	negative := regexp.MustCompile(`^-\.?[0-9]`)
	joined := make([]string, 0, len(arguments))
	for i, argument := range arguments {
		if argument == "--" { // the rest are not flags
			return append(joined, arguments[i:]...)
		}
		last := len(joined) - 1
		if last >= 0 && strings.HasPrefix(joined[last], "--") && !strings.Contains(joined[last], "=") && negative.MatchString(argument) {
			joined[last] += "=" + argument
			continue
		}
		joined = append(joined, argument)
	}
	return joined
}

// refuseRepeated refuses a flag of a client command that is given twice, unless it takes several values: the parser would
// keep the last one, and a command would act on other sagas than those that were meant. Flags of servers, and those that
// say where a server is, may be repeated to override them.
func refuseRepeated(parsed *kong.Context) error {
	command, _, _ := strings.Cut(parsed.Command(), " ")
	if slices.Contains([]string{"serve", "dev", "bench", "bench-worker", "migrate"}, command) {
		return nil
	}
	given := make(map[*kong.Flag]bool)
	for _, at := range parsed.Path {
		if at.Flag == nil || at.Resolved || at.Flag.IsSlice() || at.Flag.IsMap() || at.Flag.IsBool() ||
			slices.Contains([]string{"server", "key", "output"}, at.Flag.Name) {
			continue
		}
		if given[at.Flag] {
			return usage("--%s must be given once", at.Flag.Name)
		}
		given[at.Flag] = true
	}
	return nil
}

func mayBeEmpty(flag string) bool {
	return slices.Contains([]string{"--database-url", "--amqp-url", "--key"}, flag)
}

// ignoreEmptyVariables makes flags ignore environment variables that are set to nothing. The help names the others.
func ignoreEmptyVariables(k *kong.Kong) error {
	return kong.Visit(k.Model, func(node kong.Visitable, next kong.Next) error {
		if flag, is := node.(*kong.Flag); is {
			flag.Tag.Envs = slices.DeleteFunc(flag.Tag.Envs, func(name string) bool {
				value, set := os.LookupEnv(name)
				return set && strings.TrimSpace(value) == ""
			})
		}
		return next(nil)
	})
}
