package cli

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/atomicfile"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/fhirschema"
	"github.com/mockfhir/mockfhir/internal/record"
	"github.com/mockfhir/mockfhir/internal/redact"
	"github.com/mockfhir/mockfhir/mockserver"
)

const fixturesUsage = `Usage:
  mockfhir fixtures lint DIR           check one set: structure, references, leftovers, age
  mockfhir fixtures diff A B           what changed from one set to another
  mockfhir fixtures import -out DIR -har FILE | -wiremock PATH
  mockfhir fixtures export [-format har|wiremock|postman] [-origin URL] [-out FILE] DIR
  mockfhir fixtures pack DIR FILE      make one file of a set, which opens at once
`

// fixturesCommand looks after fixture sets.
func fixturesCommand(ctx context.Context, env Env, args []string) int {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	if isHelp(command) || len(args) == 1 && isHelp(args[0]) {
		fmt.Fprint(env.Stdout, fixturesUsage)
		args = []string{"-h"} // those that have flags list them behind
		if command != "import" && command != "export" {
			return exitOK
		}
		fmt.Fprintln(env.Stdout)
	}
	switch command {
	case "lint":
		return lint(env, args)
	case "diff":
		return diff(ctx, env, args)
	case "import":
		return importCommand(env, args)
	case "export":
		return export(env, args)
	case "pack":
		return packFixtures(env, args)
	}
	return usageError(env, "fixtures", fmt.Errorf("no command %q; valid are lint, diff, import, export and pack", command))
}

func isHelp(arg string) bool {
	return slices.Contains([]string{"help", "-h", "-help", "--help"}, arg)
}

// maxAge is how long ANS lets a copy of its data be kept.
const maxAge = 30 * 24 * time.Hour

// lint prints what is wrong with a set, a line each.
func lint(env Env, args []string) int {
	if len(args) != 1 || strings.HasPrefix(args[0], "-") {
		return usageError(env, "fixtures lint", errors.New("name one fixture set"))
	}
	set, err := fixtures.LoadFile(args[0])
	if err == nil && set.Packed() != nil {
		err = set.Packed().Verify()
	}
	if err != nil {
		fmt.Fprintf(env.Stdout, "%v\n", err)
		return exitFailure
	}
	l := linting{set: set, out: env.Stdout, linter: redact.NewLinter()}
	l.texts(args[0])
	l.resources()
	for _, unused := range set.Unused() {
		l.tell(unused)
	}
	if age, ok := ageOf(set, time.Now()); ok && age > maxAge {
		l.tell(fmt.Sprintf("manifest.json: recorded %d days ago; ANS asks that copies be deleted after 30: record again", int(age.Hours()/24)))
	}
	if l.outside > 0 {
		fmt.Fprintf(env.Stdout, "note: %d references lead outside of the set\n", l.outside)
	}
	whole := ""
	if set.Packed() != nil {
		whole = ", every block as it was written"
	}
	fmt.Fprintf(env.Stdout, "%s: %d resources, %d files of exchanges, %d findings%s\n", args[0], set.Count(), len(set.Scenarios), l.findings, whole)
	if l.findings > 0 {
		return exitFailure
	}
	return exitOK
}

// linting is a look through one set. What it finds is printed at once: a packed
// set is larger than memory, and may have something in each resource.
type linting struct {
	set               *fixtures.Set
	out               io.Writer
	linter            *redact.Linter
	findings, outside int
}

func (l *linting) tell(findings ...string) {
	l.findings += len(findings)
	for _, f := range findings {
		fmt.Fprintln(l.out, f)
	}
}

// texts looks through the text of every file of a set; of a packed one, through
// what the files were that are not resources.
func (l *linting) texts(root string) {
	if l.set.Packed() == nil {
		_ = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				l.file(root, name)
			}
			return err
		})
		return
	}
	manifest, _ := json.Marshal(l.set.Manifest)
	table, _ := json.Marshal(l.set.Table)
	l.tell(l.linter.File("manifest.json", manifest)...)
	l.tell(l.linter.File("parameters.json", table)...)
	for _, s := range l.set.Scenarios {
		l.tell(l.linter.File(s.File, s.Format())...)
	}
}

func (l *linting) file(root, name string) {
	place, err := filepath.Rel(root, name)
	if err != nil || name == root {
		place = filepath.Base(name)
	}
	place = filepath.ToSlash(place)
	text, err := os.ReadFile(name)
	if err == nil && strings.HasSuffix(name, ".gz") {
		text, err = gunzip(text)
	}
	if err != nil {
		l.tell(place + ": cannot be read to the end, and was not looked through")
		return
	}
	l.tell(l.linter.File(place, text)...)
}

func gunzip(text []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// resources holds each resource against R4 and its profile, and counts the
// references that lead outside of the set.
func (l *linting) resources() {
	inMemory := map[string]bool{}
	for _, r := range l.set.Resources {
		inMemory[r.Type+"/"+r.ID] = true
	}
	for _, typ := range l.set.Table.Types {
		for r := range l.set.Of(typ.Type) {
			node, err := fhir.ParseString(r.JSON)
			if err != nil {
				continue // the set would not have been loaded
			}
			l.resource(r, node)
			for _, reference := range redact.References(node) {
				if typ, id, _ := strings.Cut(reference, "/"); !inMemory[reference] && !l.set.InPack(typ, id) {
					l.outside++
				}
			}
		}
	}
}

func (l *linting) resource(r fixtures.Resource, node *fhir.Node) {
	name := r.Type + "/" + r.ID
	if l.set.Packed() != nil {
		l.tell(l.linter.Resource(name, r.JSON)...)
	}
	for _, issue := range append(fhirschema.Validate(node), fhirschema.ValidateProfile(node)...) {
		if _, known := issue.Deviation(); !known {
			l.tell(name + ": " + issue.String())
		}
	}
	for _, place := range redact.LintResource(node) {
		l.tell(name + ": " + place)
	}
}

// ageOf is how long ago a set was recorded.
func ageOf(set *fixtures.Set, now time.Time) (time.Duration, bool) {
	day, err := time.Parse(time.DateOnly, set.Manifest.Captured)
	return now.Sub(day), err == nil && set.Manifest.From != "fictitious"
}

// diff tells in verify's words what changed between two sets: a mock of each
// is looked at by the contract's suite, and what was learnt is compared.
func diff(ctx context.Context, env Env, args []string) int {
	if len(args) != 2 {
		return usageError(env, "fixtures diff", errors.New("name two fixture sets, the earlier one first"))
	}
	var sets [2]*fixtures.Set
	var learned [2]*contract.Baseline
	for i, name := range args {
		set, err := fixtures.LoadFile(name)
		if err != nil {
			return usageError(env, "fixtures diff", err)
		}
		sets[i] = set
		if learned[i], err = learn(ctx, set); err != nil {
			fmt.Fprintf(env.Stderr, "mockfhir fixtures diff: %s: %v\n", name, err)
			return exitFailure
		}
	}
	tellCounts(env, sets[0], sets[1])
	tellExchanges(env, sets[0], sets[1])
	breaking := 0
	for _, f := range contract.Compare(learned[0], learned[1]) {
		if f.Class == contract.Breaking {
			breaking++
		}
		fmt.Fprintf(env.Stdout, "%s %s: %s\n", strings.ToUpper(string(f.Class)), f.Check, f.Message)
		fmt.Fprintf(env.Stdout, "  %s: was %s, now %s\n", f.Path, f.Was, f.Now)
	}
	fmt.Fprintf(env.Stdout, "%d breaking differences\n", breaking)
	if breaking > 0 {
		return exitFailure
	}
	return exitOK
}

// learn runs the suite against a mock of a set, on loopback, and returns what
// the mock looked like.
func learn(ctx context.Context, set *fixtures.Set) (*contract.Baseline, error) {
	const key = "mockfhir-fixtures-diff"
	server, err := mockserver.Build(set, mockserver.WithKeys(key), mockserver.WithRate("0"))
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.New("cannot listen on loopback, which looking at a set needs")
	}
	serving := server.HTTPServer()
	defer serving.Close()
	go func() { _ = serving.Serve(mockserver.Listener(l, nil)) }()
	report, err := contract.Run(ctx, contract.Target{URL: "http://" + l.Addr().String() + "/fhir/v2", Key: key}, contract.Options{Rate: contract.Unlimited})
	if err != nil {
		return nil, err
	}
	if report.Learned == nil {
		return nil, fmt.Errorf("the suite learnt nothing: %s", report.Reason)
	}
	captured, err := time.Parse(time.DateOnly, set.Manifest.Captured)
	if err != nil {
		captured = report.Started
	}
	return report.Learned.Accept("a fixture set", captured)
}

func tellCounts(env Env, was, now *fixtures.Set) {
	before, after := was.Counts(), now.Counts()
	types := maps.Clone(before)
	maps.Copy(types, after)
	for _, t := range slices.Sorted(maps.Keys(types)) {
		if before[t] != after[t] {
			fmt.Fprintf(env.Stdout, "%s: %d resources, was %d\n", t, after[t], before[t])
		}
	}
}

// tellExchanges compares the answers to requests that both sets recorded.
func tellExchanges(env Env, was, now *fixtures.Set) {
	before := exchangesOf(was)
	after := exchangesOf(now)
	for _, request := range slices.Sorted(maps.Keys(before)) {
		a, b := before[request], after[request]
		switch {
		case b == nil:
			fmt.Fprintf(env.Stdout, "%s: not recorded any more\n", request)
		case a.Response.Status != b.Response.Status:
			fmt.Fprintf(env.Stdout, "%s: answers %d, was %d\n", request, b.Response.Status, a.Response.Status)
		}
	}
	for _, request := range slices.Sorted(maps.Keys(after)) {
		if before[request] == nil {
			fmt.Fprintf(env.Stdout, "%s: recorded for the first time\n", request)
		}
	}
}

// exchangesOf are the exchanges of a set by request. Pages have names of their
// own in each recording and are left to the comparison of what was learnt.
func exchangesOf(set *fixtures.Set) map[string]*fixtures.Exchange {
	all := map[string]*fixtures.Exchange{}
	for _, s := range set.Scenarios {
		for i := range s.Exchanges {
			x := &s.Exchanges[i]
			if !strings.Contains(x.Request.Target, fixtures.PagePlaceholder) {
				key := strings.Join(x.Request.Header.Values(redact.KeyHeader), ",")
				all[strings.TrimSpace(fmt.Sprintf("%s %s %s %s", x.Request.Method, x.Request.Target, x.Request.Header.Get("Accept"), key))] = x
			}
		}
	}
	return all
}

// importCommand makes a set of what another tool recorded. It is redacted like
// a recording of our own.
func importCommand(env Env, args []string) int {
	var har, wiremock, out string
	fs := flag.NewFlagSet("fixtures import", flag.ContinueOnError)
	fs.StringVar(&har, "har", "", "HAR `file` of a browser, a proxy or Postman")
	fs.StringVar(&wiremock, "wiremock", "", "WireMock mappings: a `file`, or a directory with __files")
	fs.StringVar(&out, "out", "", "`directory` of the fixture set")
	if code, done := parseOnly(fs, args, env); done {
		return code
	}
	if (har == "") == (wiremock == "") || out == "" {
		return usageError(env, "fixtures import", errors.New("give -out DIR, and -har FILE or -wiremock PATH"))
	}
	secret, err := secretOf(env)
	if err != nil {
		return usageError(env, "fixtures import", err)
	}
	read, name := record.ReadHAR, har
	if wiremock != "" {
		read, name = record.ReadWireMock, wiremock
	}
	foreign, err := read(name)
	if err == nil {
		err = record.Ready(out)
	}
	if err == nil {
		var set *redact.Set
		var imported int
		source := &url.URL{Scheme: "https", Host: "imported.example", Path: "/fhir/v2"}
		set, imported, err = record.Import(foreign, record.Options{Target: record.Target{Base: source}, Secret: secret, Rate: 1, Version: Version()})
		tellLeft(env, foreign)
		if err == nil {
			err = record.Save(out, set)
		}
		if err == nil {
			fmt.Fprintf(env.Stdout, "%d exchanges imported to %s\n", imported, out)
			return exitOK
		}
	}
	fmt.Fprintf(env.Stderr, "mockfhir fixtures import: %v\n", err)
	return exitFailure
}

// tellLeft says what was not imported, and why.
func tellLeft(env Env, foreign *record.Foreign) {
	for _, why := range slices.Sorted(maps.Keys(foreign.Left)) {
		fmt.Fprintf(env.Stdout, "%d left out: %s\n", foreign.Left[why], why)
	}
}

// export writes the exchanges of a set for another tool.
func export(env Env, args []string) int {
	var format, out, origin string
	fs := flag.NewFlagSet("fixtures export", flag.ContinueOnError)
	fs.StringVar(&format, "format", "har", "`format`: "+strings.Join(record.Formats, ", "))
	fs.StringVar(&out, "out", "", "`file` to write (default: standard output)")
	fs.StringVar(&origin, "origin", "http://localhost:8080", "`origin` of the addresses and links")
	last := ""
	if n := len(args) - 1; n >= 0 && !strings.HasPrefix(args[n], "-") {
		args, last = args[:n], args[n]
	}
	if code, done := parseOnly(fs, args, env); done {
		return code
	}
	if last == "" {
		return usageError(env, "fixtures export", errors.New("name one fixture set behind the flags"))
	}
	set, err := fixtures.LoadFile(last)
	var text []byte
	if err == nil {
		text, err = record.Export(set, format, record.ExportOptions{Origin: strings.TrimRight(origin, "/"), Key: mockserver.DemoKey, Version: Version()})
	}
	if err != nil {
		return usageError(env, "fixtures export", err)
	}
	if out == "" {
		_, err = env.Stdout.Write(text)
	} else {
		err = atomicfile.WriteBytes(out, text)
	}
	if err != nil {
		fmt.Fprintf(env.Stderr, "mockfhir fixtures export: %v\n", err)
		return exitFailure
	}
	return exitOK
}
