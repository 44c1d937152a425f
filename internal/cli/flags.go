package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
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

// parse reads the arguments, and for each flag that is not among them the
// environment: MOCKFHIR_PORT_FILE for -port-file.
func parse(fs *flag.FlagSet, args []string, getenv func(string) string, help io.Writer) error {
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(help, "Flags of mockfhir %s, each also as MOCKFHIR_… in the environment:\n\n", fs.Name())
		fs.SetOutput(help)
		fs.PrintDefaults()
		return errHelp
	}
	if err != nil {
		return fmt.Errorf("%w; mockfhir -h lists the flags", err)
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%q is no flag; mockfhir -h lists the flags", fs.Arg(0))
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	fs.VisitAll(func(f *flag.Flag) {
		name := "MOCKFHIR_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value := getenv(name)
		if value == "" || given[f.Name] || err != nil {
			return
		}
		if setErr := fs.Set(f.Name, value); setErr != nil {
			err = fmt.Errorf("environment variable %s: %w", name, setErr)
		}
	})
	return err
}
