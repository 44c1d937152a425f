package verify

import (
	"errors"
	"io"
	"strings"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/internal/atomicfile"
)

// baseline finds what the service is to be compared with: the file that was
// asked for, or what the mock looks like. A part of the suite learns too
// little to be compared unasked, what is to be accepted has nothing to be
// compared with, and another service is the baseline itself. The mock's looks
// are version 2's.
func (j *job) baseline() error {
	c := j.config
	if c.baseline == "" {
		if c.run == "" && c.accept == "" && (c.against == "" || c.against == mock) && versionOf(c.url) == "v2" {
			j.options.Baseline = contract.DefaultBaseline()
		}
		return nil
	}
	return readFile(c.baseline, func(r io.Reader) (err error) {
		j.options.Baseline, err = contract.ReadBaseline(r)
		return err
	})
}

// acceptBaseline writes what the service looked like in this run. A run that
// did not see everything learned too little to accept.
func (j *job) acceptBaseline(r *contract.Report) error {
	if r.Verdict == contract.Undecided || r.Learned == nil {
		return errors.New("no baseline is written: the run could not judge the service")
	}
	if key := r.Target.Key; len(key) >= 8 && strings.Contains(strings.ToLower(j.config.reason), strings.ToLower(key)) {
		return errors.New("no baseline is written: the reason holds the key, and a baseline is kept for years")
	}
	b, err := r.Learned.Accept(j.config.reason, r.Ended)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(j.config.accept, b.Write); err != nil {
		return err
	}
	say(j.env.Stderr, "verify: the baseline is written; compare the next run with it by -baseline %s", j.config.accept)
	return nil
}
