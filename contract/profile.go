package contract

import (
	"context"
	"fmt"

	"github.com/mockfhir/mockfhir/internal/fhirschema"
)

// checkProfile holds resources against the profile they claim. An item that
// has no place among those described is news, since clients pass over it; all
// the rest breaks them.
func checkProfile(ctx context.Context, p *Probe, typ string) error {
	list, a, err := p.sample(ctx, typ)
	if err != nil {
		return err
	}
	for _, n := range list {
		p.Saw()
		for _, issue := range fhirschema.ValidateProfile(n) {
			path := safeElement(issue.Element)
			f := Finding{Reason: Shape, Path: path, Was: "as the profile says", Now: string(issue.Rule),
				Message: fmt.Sprintf("%s: %s.", path, issue.Detail)}
			switch issue.Rule {
			case fhirschema.RuleUnlisted, fhirschema.RuleClosed, fhirschema.RuleExtensionURL:
				f.Class, f.Reason = Additive, Meaning
			case fhirschema.RuleForbidden:
				f.Reason = Security
				f.Why = "The profile keeps restricted data out of the public directory; here is some."
			case fhirschema.RuleFixed, fhirschema.RuleProfile:
				f.Reason = Meaning
			}
			p.Drift(f, a)
		}
	}
	return nil
}
