package verify

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mockfhir/mockfhir/contract/report"
	"github.com/mockfhir/mockfhir/internal/atomicfile"
)

// sink is a report that was asked for, and where it goes.
type sink struct {
	format report.Format
	file   string // "" is standard output
}

func parseSink(s string) (sink, error) {
	format, file, named := strings.Cut(strings.TrimSpace(s), "=")
	if !slices.Contains(report.Formats(), report.Format(format)) {
		return sink{}, fmt.Errorf("use FORMAT or FORMAT=FILE, where FORMAT is one of %s", formats())
	}
	if named && file == "" {
		return sink{}, fmt.Errorf("a file name goes after %s=", format)
	}
	if file == "-" {
		file = ""
	}
	return sink{report.Format(format), file}, nil
}

// checkSinks refuses, before anything is asked of the service, reports that
// could not be written.
func checkSinks(reports []sink) error {
	taken := map[string]bool{}
	for _, s := range reports {
		switch {
		case taken[s.file] && s.file == "":
			return errors.New("two reports for standard output; give one a file, as -report html=drift.html")
		case taken[s.file]:
			return fmt.Errorf("two reports for the file %s; give each its own", s.file)
		}
		taken[s.file] = true
		if err := writable(s.file); err != nil {
			return err
		}
	}
	return nil
}

// writable tells early that a file cannot be created where it is wanted.
func writable(file string) error {
	if file == "" {
		return nil
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a directory; name a file in it", file)
	}
	dir := filepath.Dir(file)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("%s cannot be written: there is no directory %s; create it first", file, dir)
	}
	return nil
}

// writeReports writes each report, and text on standard output when nothing
// else goes there. All are tried; the errors come together.
func (j *job) writeReports(doc report.Document) error {
	reports := j.config.reports
	if !slices.ContainsFunc(reports, func(s sink) bool { return s.file == "" }) {
		reports = append([]sink{{format: report.Text}}, reports...)
	}
	var errs []error
	for _, s := range reports {
		if err := j.writeReport(s, doc); err != nil {
			errs = append(errs, fmt.Errorf("the %s report is not written: %w", s.format, err))
		}
		if s.format == report.GitHub {
			if err := j.writeSummary(doc); err != nil {
				errs = append(errs, fmt.Errorf("the step summary is not written: %w", err))
			}
		}
	}
	return errors.Join(errs...)
}

func (j *job) writeReport(s sink, doc report.Document) error {
	if s.file == "" {
		return report.Write(j.env.Stdout, s.format, doc)
	}
	return atomicfile.Write(s.file, func(w io.Writer) error { return report.Write(w, s.format, doc) })
}

// maxSummary is what GitHub takes of one step.
const maxSummary = 1 << 20

// writeSummary adds the report to the page of the workflow run, which belongs
// to all commands of the step.
func (j *job) writeSummary(doc report.Document) error {
	file, ok := j.env.LookupEnv("GITHUB_STEP_SUMMARY")
	if !ok || file == "" {
		return nil
	}
	var b bytes.Buffer
	if err := report.Write(&b, report.Markdown, doc); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(shorten(b.Bytes(), maxSummary))
	return errors.Join(err, f.Close())
}

// shorten cuts text at the end of a line so that it fits, and says so.
func shorten(text []byte, limit int) []byte {
	if len(text) <= limit {
		return text
	}
	const note = "\nThe rest does not fit here; the other reports have it.\n"
	text = text[:limit-len(note)]
	return slices.Concat(text[:bytes.LastIndexByte(text, '\n')+1], []byte(note))
}
