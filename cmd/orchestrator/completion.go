package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCommand is `orchestrator completion`.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help shows how to load the script.
func (completionCommand) Help() string {
	return "Load it in the start file of the shell:\n\n" +
		"    source <(orchestrator completion bash)        # bash, zsh: with zsh in place of bash\n" +
		"    orchestrator completion fish | source         # fish"
}

// Run writes the script. It is generated from the commands themselves.
func (c *completionCommand) Run(parsed *kong.Context, out *streams) error {
	var script strings.Builder
	switch c.Shell {
	case "fish":
		fishScript(&script, parsed.Model.Node, nil)
	case "zsh":
		script.WriteString("autoload -U +X bashcompinit && bashcompinit\n")
		bashScript(&script, parsed.Model.Node)
	default:
		bashScript(&script, parsed.Model.Node)
	}
	_, err := fmt.Fprint(out.out, script.String())
	return err
}

// bashScript writes a function that follows the commands on the line, and offers what may come next.
func bashScript(script *strings.Builder, root *kong.Node) {
	var commands, words strings.Builder
	var visit func(node *kong.Node, path string)
	visit = func(node *kong.Node, path string) {
		fmt.Fprintf(&words, "\t%q) words=%q ;;\n", path, strings.Join(nextWords(node), " "))
		for _, child := range visible(node) {
			below := strings.TrimSpace(path + " " + child.Name)
			fmt.Fprintf(&commands, "\t\t%q) path=%q ;;\n", below, below)
			visit(child, below)
		}
	}
	visit(root, "")
	fmt.Fprintf(script, `_orchestrator() {
	local word path="" words=""
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case "${path:+$path }$word" in
%s		esac
	done
	case "$path" in
%s	esac
	COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _orchestrator orchestrator
`, commands.String(), words.String())
}

// fishScript writes a line for each word that may follow a command.
func fishScript(script *strings.Builder, node *kong.Node, path []string) {
	condition := "__fish_use_subcommand"
	if len(path) > 0 {
		var seen []string
		for _, name := range path {
			seen = append(seen, "__fish_seen_subcommand_from "+name)
		}
		condition = strings.Join(seen, "; and ")
	}
	for _, child := range visible(node) {
		fmt.Fprintf(script, "complete -c orchestrator -f -n %s -a %s -d %s\n", quoted(condition), child.Name, quoted(child.Help))
		fishScript(script, child, append(slices.Clip(path), child.Name))
	}
	for _, flag := range node.Flags {
		if !flag.Hidden {
			fmt.Fprintf(script, "complete -c orchestrator -n %s -l %s -d %s\n", quoted(condition), flag.Name, quoted(flag.Help))
		}
	}
}

// nextWords returns the commands below a command, and its flags.
func nextWords(node *kong.Node) (words []string) {
	for _, child := range visible(node) {
		words = append(words, child.Name)
	}
	for at := node; at != nil; at = at.Parent {
		for _, flag := range at.Flags {
			if !flag.Hidden {
				words = append(words, "--"+flag.Name)
			}
		}
	}
	return words
}

func visible(node *kong.Node) (children []*kong.Node) {
	for _, child := range node.Children {
		if !child.Hidden && child.Type == kong.CommandNode {
			children = append(children, child)
		}
	}
	return children
}

// quoted quotes text for fish.
func quoted(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}
