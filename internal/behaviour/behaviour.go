// Package behaviour is the one table of the choices mockfhir makes where its
// sources differ, or say nothing: what each profile does, on what evidence.
// The switches of mockserver, docs/fidelity.md and the waivers of verify for
// profile source all come from it, so that they cannot disagree.
package behaviour

// Evidence is how well a behaviour is known.
type Evidence string

// From the best to the least.
const (
	Observed   Evidence = "observed"   // seen on the real service, and published
	Documented Evidence = "documented" // promised by ANS's documentation or guide
	Source     Evidence = "source"     // read in the public source code
	Assumed    Evidence = "assumed"    // nobody outside ANS can know; our choice
)

// ID names a behaviour for ever.
type ID string

// Row is one behaviour.
type Row struct {
	ID    ID
	Topic string // a heading of docs/fidelity.md

	// What each profile does. Where both texts are equal it is no switch.
	Production, Source string
	// InProduction and InSource are the positions of the switch of that name.
	InProduction, InSource bool

	Evidence Evidence // of what profile production does
	Cite     string   // where it was read
	// Checks are those of the contract that hold in production and not in
	// profile source, because of this row.
	Checks []string
}

// Switches tells whether a behaviour is on. Asking for one that is not in the
// table panics: the table is the only place where behaviours are born.
type Switches func(ID) bool

// Of returns the switches of a profile, "production" or "source".
func Of(profile string) Switches {
	on := make(map[ID]bool, len(Rows))
	for _, r := range Rows {
		on[r.ID] = r.InProduction
		if profile == "source" {
			on[r.ID] = r.InSource
		}
	}
	return func(id ID) bool {
		value, known := on[id]
		if !known {
			panic("behaviour: no row " + string(id))
		}
		return value
	}
}

// Waivers returns, by check, why it need not hold in profile source.
func Waivers() map[string]string {
	waived := map[string]string{}
	for _, r := range Rows {
		for _, check := range r.Checks {
			waived[check] = r.Source + " (" + r.Cite + ")"
		}
	}
	return waived
}
