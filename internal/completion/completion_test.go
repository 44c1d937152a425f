package completion

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func program() Program {
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	fs.String("profile", "", "behaviour: it's one of two [or so]")
	fs.String("set", "", "a fixture `file`")
	fs.String("addr", "", "listen `address`")
	fs.Bool("any-key", false, "accept any key")
	flags := Of(fs, map[string][]string{"profile": {"production", "source"}})
	return Program{Name: "mock", Flags: flags, Commands: []Command{
		{Name: "serve", Text: "serve it", Flags: flags},
		{Name: "fixtures", Text: "look after sets", Words: []string{"lint", "diff"}},
		{Name: "completion", Text: "the shells' completions", Words: Shells()},
	}}
}

// The scripts are run by the shells they are for. The machines of CI have
// bash; zsh and fish judge where they are installed.
func TestShells(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "set.ndjson"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ask := map[string]func(script, line string) *exec.Cmd{
		"bash": func(script, line string) *exec.Cmd {
			return exec.Command("bash", "--norc", "-c", `source "$1"; COMP_WORDS=($2); [[ $2 == *" " ]] && COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _mock; printf '%s\n' "${COMPREPLY[@]}"`, "bash", script, line)
		},
		"zsh": func(script, line string) *exec.Cmd {
			return exec.Command("zsh", "-f", "-c", zshDriver, "zsh", script, line)
		},
		"fish": func(script, line string) *exec.Cmd {
			return exec.Command("fish", "--no-config", "-c", `source $argv[1]; complete -C $argv[2] | string split -f1 \t; true`, script, line)
		},
	}
	for _, shell := range Shells() {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(shell); err != nil {
				t.Skipf("%s is not installed", shell)
			}
			script := filepath.Join(t.TempDir(), "mock."+shell)
			file, err := os.Create(script)
			if err != nil {
				t.Fatal(err)
			}
			if err := Write(file, shell, program()); err != nil {
				t.Fatal(err)
			}
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
			files := []string{"set.ndjson"}
			if shell == "bash" {
				files = nil // bash itself offers them where the script offers nothing
			}
			for _, tt := range []struct {
				line string
				want []string
				dont string
			}{
				{"mock -pro", []string{"-profile"}, "-any-key"},
				{"mock serve -a", []string{"-addr", "-any-key"}, "-profile"},
				{"mock -profile ", []string{"production", "source"}, "-any-key"},
				{"mock serve -profile so", []string{"source"}, "production"},
				{"mock -set ", []string{"set.ndjson"}, "-any-key"},
				{"mock comp", []string{"completion"}, "serve"},
				{"mock fixtures ", []string{"lint", "diff"}, "-profile"},
				{"mock fixtures li", []string{"lint"}, "diff"},
				{"mock fixtures lint ", files, "diff"},
				{"mock fixtures diff se", files, "lint"},
				{"mock completion ", []string{"bash", "zsh", "fish"}, "-profile"},
			} {
				cmd := ask[shell](script, tt.line)
				cmd.Dir = dir
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%q: %v\n%s", tt.line, err, out)
				}
				offered := strings.Fields(string(out))
				for _, want := range tt.want {
					if !slices.Contains(offered, want) {
						t.Errorf("%q offers %q, want %q among them", tt.line, offered, want)
					}
				}
				if slices.Contains(offered, tt.dont) {
					t.Errorf("%q offers %q, where %s cannot stand", tt.line, offered, tt.dont)
				}
			}
		})
	}
}

// zshDriver presses the tab key in a zsh of its own, in which compadd tells
// what it is given instead of showing it.
const zshDriver = `
zmodload zsh/zpty
zpty inner zsh -f -i
zpty -w inner "PROMPT=; autoload -Uz compinit; compinit -u -D; source $1; setopt no_beep; stty -echo"
zpty -w inner 'zstyle ":completion:*" list-prompt ""; zstyle ":completion:*" menu no; LISTMAX=1000'
zpty -w inner 'compadd() { if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return $?; fi; typeset -ga __hits; builtin compadd -A __hits "$@"; print -l -- "HIT:"$^__hits; builtin compadd "$@" }'
zpty -w inner 'print READY-NOW'
while zpty -r inner line; do [[ $line == *READY-NOW* && $line != *print* ]] && break; done
zpty -w -n inner "$2"$'\t'
sleep 0.5 # with more keys waiting, zsh completes without listing
zpty -w -n inner $'\C-u'
zpty -w inner 'print DONE-NOW'
while zpty -r inner line; do
	[[ $line == *DONE-NOW* && $line != *print* ]] && break
	[[ $line == *HIT:* ]] && print -r -- ${${line##*HIT:}%%[[:space:]]*}
done
zpty -d inner
`

func TestUnknownShell(t *testing.T) {
	t.Parallel()
	err := Write(&strings.Builder{}, "tcsh", program())
	if err == nil || !strings.Contains(err.Error(), "bash, zsh, fish") {
		t.Errorf("error %v, want one that names the shells there are", err)
	}
}
