// Package completion writes what bash, zsh and fish need to complete a command
// line. Both commands describe themselves from the flags they parse, so that
// no flag is missing at the prompt.
package completion

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// Program is a command line.
type Program struct {
	Name     string
	Commands []Command // words that may come first
	Flags    []Flag    // of the program without such a word
}

// Command is a word with flags of its own.
type Command struct {
	Name, Text string
	Words      []string // to offer for the first argument; files follow
	Flags      []Flag
}

// Flag is one flag, with what its value may be.
type Flag struct {
	Name, Text string
	Switch     bool     // takes no value
	File       bool     // takes a file
	Values     []string // takes one of these
}

// Shells are those that Write knows.
func Shells() []string { return []string{"bash", "zsh", "fish"} }

// Of describes the flags of a set. A value whose name in the usage is file or
// path completes to files; values holds those that are a choice.
func Of(fs *flag.FlagSet, values map[string][]string) []Flag {
	var flags []Flag
	fs.VisitAll(func(f *flag.Flag) {
		arg, text := flag.UnquoteUsage(f)
		text, _, _ = strings.Cut(text, "\n")
		isSwitch, ok := f.Value.(interface{ IsBoolFlag() bool })
		flags = append(flags, Flag{
			Name: f.Name, Text: text,
			Switch: ok && isSwitch.IsBoolFlag(),
			File:   strings.EqualFold(arg, "file") || strings.EqualFold(arg, "path"),
			Values: values[f.Name],
		})
	})
	return flags
}

// Write prints the completion script of a program.
func Write(w io.Writer, shell string, p Program) error {
	var script strings.Builder
	switch shell {
	case "bash":
		bash(&script, p)
	case "zsh":
		zsh(&script, p)
	case "fish":
		fish(&script, p)
	default:
		return fmt.Errorf("no completions for %q; valid are %s", shell, strings.Join(Shells(), ", "))
	}
	_, err := io.WriteString(w, script.String())
	return err
}

// bash asks for the word before the one at the cursor first, which a flag with
// a value decides alone, and then for the command.
func bash(w io.Writer, p Program) {
	fmt.Fprintf(w, "# bash completion for %[1]s: source <(%[1]s ...), or a file in bash_completion.d\n_%[1]s() {\n", p.Name)
	fmt.Fprint(w, "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n\tCOMPREPLY=()\n\tcase $prev in\n")
	done := map[string]bool{}
	for _, f := range p.all() {
		if f.Switch || done[f.Name] {
			continue
		}
		done[f.Name] = true
		switch {
		case f.File:
			fmt.Fprintf(w, "\t-%s | --%[1]s)\n\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n\t\treturn\n\t\t;;\n", f.Name)
		default: // nothing to offer is an answer too: the value is free
			fmt.Fprintf(w, "\t-%s | --%[1]s)\n\t\tCOMPREPLY=($(compgen -W %s -- \"$cur\"))\n\t\treturn\n\t\t;;\n", f.Name, quote(strings.Join(f.Values, " ")))
		}
	}
	fmt.Fprint(w, "\tesac\n\tlocal words\n\tcase ${COMP_WORDS[1]} in\n")
	for _, c := range p.Commands {
		fmt.Fprintf(w, "\t%s)\n\t\twords=%s\n", c.Name, quote(strings.Join(names(c.Flags), " ")))
		if len(c.Words) > 0 { // behind them nothing is offered here, and so files are
			fmt.Fprintf(w, "\t\t((COMP_CWORD == 2)) && words+=%s\n", quote(" "+strings.Join(c.Words, " ")))
		}
		fmt.Fprint(w, "\t\t;;\n")
	}
	var first []string
	for _, c := range p.Commands {
		first = append(first, c.Name)
	}
	fmt.Fprintf(w, "\t*)\n\t\twords=%s\n\t\t((COMP_CWORD == 1)) && words+=%s\n\t\t;;\n\tesac\n", quote(strings.Join(names(p.Flags), " ")), quote(" "+strings.Join(first, " ")))
	fmt.Fprintf(w, "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -F _%[1]s %[1]s\n", p.Name)
}

// zsh hands the work to _arguments, per command.
func zsh(w io.Writer, p Program) {
	fmt.Fprintf(w, "#compdef %[1]s\n_%[1]s() {\n", p.Name)
	if len(p.Commands) > 0 {
		fmt.Fprint(w, "\tlocal -a commands=(\n")
		for _, c := range p.Commands {
			fmt.Fprintf(w, "\t\t%s\n", quote(c.Name+":"+c.Text))
		}
		fmt.Fprint(w, "\t)\n\tif ((CURRENT == 2)) && [[ $words[2] != -* ]]; then\n\t\t_describe command commands\n\t\treturn\n\tfi\n\tcase $words[2] in\n")
		for _, c := range p.Commands {
			fmt.Fprintf(w, "\t%s)\n\t\tshift words\n\t\t((CURRENT--))\n", c.Name)
			zshArguments(w, c.Flags, c.Words)
			fmt.Fprint(w, "\t\treturn\n\t\t;;\n")
		}
		fmt.Fprint(w, "\tesac\n")
	}
	zshArguments(w, p.Flags, nil)
	fmt.Fprintf(w, "}\nif [[ $funcstack[1] == _%[1]s ]]; then _%[1]s \"$@\"; else compdef _%[1]s %[1]s; fi\n", p.Name)
}

func zshArguments(w io.Writer, flags []Flag, words []string) {
	escape := strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`)
	fmt.Fprint(w, "\t\t_arguments -S")
	for _, f := range flags {
		spec := "-" + f.Name + "[" + escape.Replace(f.Text) + "]"
		switch {
		case f.Switch:
		case f.File:
			spec += ":file:_files"
		case len(f.Values) > 0:
			spec += ":value:(" + strings.Join(f.Values, " ") + ")"
		default:
			spec += ":value: "
		}
		fmt.Fprintf(w, " \\\n\t\t\t%s", quote("*"+spec))
	}
	switch {
	case len(words) > 0:
		fmt.Fprintf(w, " \\\n\t\t\t%s", quote("1:word:("+strings.Join(words, " ")+")")+" "+quote("*:file:_files"))
	default:
		fmt.Fprintf(w, " \\\n\t\t\t%s", quote("*:: :_normal"))
	}
	fmt.Fprint(w, "\n")
}

func fish(w io.Writer, p Program) {
	fmt.Fprintf(w, "# fish completion for %s\ncomplete -c %[1]s -f\n", p.Name)
	line := func(condition string, f Flag) {
		fmt.Fprintf(w, "complete -c %s", p.Name)
		if condition != "" {
			fmt.Fprintf(w, " -n %s", quote(condition))
		}
		fmt.Fprintf(w, " -o %s -d %s", f.Name, quote(f.Text))
		switch {
		case f.Switch:
		case f.File:
			fmt.Fprint(w, " -r -F")
		default:
			fmt.Fprintf(w, " -x -a %s", quote(strings.Join(f.Values, " ")))
		}
		fmt.Fprint(w, "\n")
	}
	none := ""
	if len(p.Commands) > 0 {
		var all []string
		for _, c := range p.Commands {
			all = append(all, c.Name)
		}
		none = "not __fish_seen_subcommand_from " + strings.Join(all, " ")
	}
	for _, c := range p.Commands {
		fmt.Fprintf(w, "complete -c %s -n %s -a %s -d %s\n", p.Name, quote("__fish_use_subcommand"), quote(c.Name), quote(c.Text))
		seen := "__fish_seen_subcommand_from " + c.Name
		if len(c.Words) > 0 {
			words := strings.Join(c.Words, " ")
			chosen := "__fish_seen_subcommand_from " + words
			fmt.Fprintf(w, "complete -c %s -n %s -a %s\n", p.Name, quote(seen+"; and not "+chosen), quote(words))
			fmt.Fprintf(w, "complete -c %s -n %s -F\n", p.Name, quote(seen+"; and "+chosen))
		}
		for _, f := range c.Flags {
			line(seen, f)
		}
	}
	for _, f := range p.Flags {
		line(none, f)
	}
}

// all flags, those of the commands included.
func (p Program) all() []Flag {
	flags := p.Flags
	for _, c := range p.Commands {
		flags = append(flags[:len(flags):len(flags)], c.Flags...)
	}
	return flags
}

func names(flags []Flag) []string {
	var list []string
	for _, f := range flags {
		list = append(list, "-"+f.Name)
	}
	return list
}

// quote makes one word of a text, for each of the three shells.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
