package verify

import (
	"context"
	"io"
	"strings"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/contract/report"
)

// migrates reports whether the two services are of different versions: then
// there is no contract to hold, but a client to move. Its requests are sent to
// both, and each is told what changes.
func (c *config) migrates() bool {
	return c.against != "" && c.against != mock && contract.IsMigration(c.url, c.against)
}

// versionOf is the version that an address names.
func versionOf(address string) string {
	if strings.HasSuffix(strings.TrimRight(address, "/"), "/v1") {
		return "v1"
	}
	return "v2"
}

// migration reads the client's requests, or takes some of the guide's.
func (j *job) migration() error {
	requests := contract.DefaultMigration()
	if j.config.requests != "" {
		requests = nil
		err := readFile(j.config.requests, func(r io.Reader) error {
			_, err := readRequests(r, func(_ int, request contract.Request) { requests = append(requests, request) })
			return err
		})
		if err != nil {
			return err
		}
	}
	j.move = contract.NewMigration(requests)
	if j.options.Budget == 0 {
		j.options.Budget = contract.DefaultBudget + len(requests)
	}
	var err error
	j.options.Checks, err = contract.Select(j.move.After(), j.config.run)
	return err
}

// lookBoth asks version 1, then version 2, whatever the order they were named
// in.
func (j *job) lookBoth(ctx context.Context, doc report.Document) (report.Document, error) {
	one, two := contract.FromVersionOne(j.config.url, j.config.against)
	before := j.aside()
	checks, err := contract.Select(j.move.Before(), j.config.run)
	if err != nil {
		return doc, err
	}
	before.Checks, doc.AgainstName = checks, "version 1"
	if doc.Against, err = j.run(ctx, contract.Target{URL: one, Key: j.config.keyFor(one)}, before); err != nil {
		return doc, err
	}
	after := j.options
	after.Baseline = nil
	doc.Run, err = j.run(ctx, contract.Target{URL: two, Key: j.config.keyFor(two)}, after)
	return doc, err
}
