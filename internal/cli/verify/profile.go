package verify

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/internal/behaviour"
)

// forSource prepares the run for a mock on this machine that imitates the
// public source: what production promises and the source does not keep is
// waived, with the reason, and the embedded baseline, which is of production,
// is no measure for it. No other service is asked, and no other has waivers.
func (j *job) forSource(ctx context.Context, target contract.Target, options *contract.Options) {
	if !target.Local() || mockProfile(ctx, target.URL) != "source" {
		return
	}
	waivers := behaviour.Waivers()
	options.Waive = func(check string) string { return waivers[check] }
	if j.config.baseline == "" {
		options.Baseline = nil
	}
	say(j.env.Stderr, "This is mockfhir in profile source: %d checks are waived, and the embedded baseline is left out.", len(waivers))
}

// mockProfile asks a service whether it is a mock, and which: "" when it is
// none or does not say so within two seconds.
func mockProfile(ctx context.Context, address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	u.Path, u.RawQuery = "/__mockfhir/version", ""
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return ""
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	var version struct {
		Profile string `json:"profile"`
	}
	if response.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(response.Body, 4<<10)).Decode(&version) != nil {
		return ""
	}
	return version.Profile
}
