package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
)

// list is a flag that may be given more than once.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

// toggle is a flag that is on or off. The standard one says no more than
// "parse error".
type toggle bool

func (t *toggle) String() string   { return strconv.FormatBool(bool(*t)) }
func (t *toggle) IsBoolFlag() bool { return true }

func (t *toggle) Set(value string) error {
	on, err := strconv.ParseBool(value)
	if err != nil {
		return errors.New("write true or false")
	}
	*t = toggle(on)
	return nil
}

// errHelp says that the help was asked for and given.
var errHelp = errors.New("help")

// several are the flags that may be repeated, and how their values are parted in
// the environment, where a name is there once.
var several = map[string]func(string) []string{
	"fixtures": filepath.SplitList,
	"incident": func(value string) []string { return strings.Split(value, ",") },
}

// parse reads the arguments, and for each flag that is not among them the
// environment: MOCKFHIR_PORT_FILE for -port-file. A nil getenv is for commands
// that a person types: MOCKFHIR_RATE is the server's, not the recorder's.
func parse(fs *flag.FlagSet, args []string, getenv func(string) string, help io.Writer) error {
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		also := ""
		if getenv != nil {
			also = ", each also as MOCKFHIR_… in the environment"
		}
		fmt.Fprintf(help, "Flags of mockfhir %s%s:\n\n", fs.Name(), also)
		fs.SetOutput(help)
		fs.PrintDefaults()
		return errHelp
	}
	if err != nil {
		return fmt.Errorf("%w; mockfhir %s -h lists the flags", err, fs.Name())
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%q is no flag; mockfhir %s -h lists the flags", fs.Arg(0), fs.Name())
	}
	if getenv == nil {
		return nil
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	fs.VisitAll(func(f *flag.Flag) {
		name := "MOCKFHIR_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value := getenv(name)
		if value == "" || given[f.Name] || err != nil {
			return
		}
		values := []string{value}
		if part := several[f.Name]; part != nil {
			values = part(value)
		}
		for _, value := range values {
			if setErr := fs.Set(f.Name, value); setErr != nil {
				err = fmt.Errorf("environment variable %s: %w", name, setErr)
			}
		}
	})
	return err
}
