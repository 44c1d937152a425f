package synth

import (
	"fmt"
	"io"
)

// Types are the resource types of a directory, in the order in which they
// refer to each other: what is named comes before what names it.
var Types = []string{"Organization", "Practitioner", "PractitionerRole", "HealthcareService", "Device"}

// Size counts the resources of a directory by type, hand-made ones included.
type Size struct {
	Organizations, Practitioners, PractitionerRoles, HealthcareServices, Devices int
}

// DefaultSize is that of the embedded directory. Devices are more than a page
// of 500, because ANS's Java sample asks for the second one without looking
// whether there is any (ans-api.md §7.2).
var DefaultSize = Size{Organizations: 150, Practitioners: 300, PractitionerRoles: 400, HealthcareServices: 120, Devices: 510}

// Scaled returns the size of a directory of about so many resources, in the
// proportions of the embedded one.
func Scaled(resources int) Size {
	d := DefaultSize
	total := d.Organizations + d.Practitioners + d.PractitionerRoles + d.HealthcareServices + d.Devices
	scale := func(n int) int { return n * resources / total }
	return Size{
		Organizations: scale(d.Organizations), Practitioners: scale(d.Practitioners), PractitionerRoles: scale(d.PractitionerRoles),
		HealthcareServices: scale(d.HealthcareServices), Devices: scale(d.Devices),
	}
}

// Options say which directory. The zero value is empty.
type Options struct {
	Seed uint64
	Size Size
	Bare bool // without personas, guide probes and oddities
}

// Embedded are the options of the directory that package fixtures embeds. Its
// seed is one of few that show nearly every profession and half the
// specialties in so small a directory.
var Embedded = Options{Seed: 4493, Size: DefaultSize}

// A Directory answers for each of its resources without holding any: it is
// safe for concurrent use.
type Directory struct {
	seed       uint64
	hand       *handmade
	drawn      map[string]int // resources by type that are not hand-made
	people     int
	structures int
	trades     affine // which trade comes when
	holders    affine // whose role comes when
}

// New returns the directory of some options. It fails on a size below that of
// the hand-made part, or beyond the ranges of identifiers.
func New(o Options) (*Directory, error) {
	d := &Directory{seed: o.Seed, hand: new(handmade), drawn: map[string]int{}}
	if !o.Bare {
		d.hand = theHandmade()
	}
	const most = technicalSize/2 - Handmade
	sizes := map[string]int{
		"Organization": o.Size.Organizations, "Practitioner": o.Size.Practitioners, "PractitionerRole": o.Size.PractitionerRoles,
		"HealthcareService": o.Size.HealthcareServices, "Device": o.Size.Devices,
	}
	for _, typ := range Types {
		least := d.hand.count(typ)
		if n := sizes[typ]; n < least || n > most {
			return nil, fmt.Errorf("a directory of %d %s: there can be %d to %d", n, typ, least, most)
		}
		d.drawn[typ] = sizes[typ] - least
	}
	d.people, d.structures = d.drawn["Practitioner"], d.drawn["Organization"]
	if d.people == 0 && d.drawn["PractitionerRole"] > 0 {
		return nil, fmt.Errorf("a directory of %d PractitionerRole and no Practitioner to hold them", sizes["PractitionerRole"])
	}
	d.trades, d.holders = newAffine(trades.total, o.Seed), newAffine(d.people, o.Seed+1)
	return d, nil
}

// Len returns how many resources of a type there are.
func (d *Directory) Len(typ string) int { return d.hand.count(typ) + d.drawn[typ] }

// Append adds the i-th resource of a type to b, as one line of JSON without
// its end. Personas come first; guide probes and oddities last.
func (d *Directory) Append(b []byte, typ string, i int) []byte {
	w := writer(b)
	d.resource(typ, i).write(&w)
	return w
}

// A resource prints itself.
type resource interface{ write(*writer) }

func (d *Directory) resource(typ string, i int) resource {
	first, last := d.hand.first[typ], d.hand.last[typ]
	if i < len(first) {
		return first[i]
	}
	if i -= len(first); i >= d.drawn[typ] {
		return last[i-d.drawn[typ]]
	}
	switch typ {
	case "Organization":
		return d.structure(i)
	case "Practitioner":
		return d.practitioner(i)
	case "PractitionerRole":
		return d.activity(i)
	case "HealthcareService":
		return d.service(i)
	default:
		return d.device(i)
	}
}

// Write streams the resources of a type as NDJSON.
func (d *Directory) Write(out io.Writer, typ string) error {
	const chunk = 1 << 20
	buffer := make([]byte, 0, chunk+1<<14)
	for i := range d.Len(typ) {
		buffer = append(d.Append(buffer, typ, i), '\n')
		if len(buffer) >= chunk {
			if _, err := out.Write(buffer); err != nil {
				return err
			}
			buffer = buffer[:0]
		}
	}
	_, err := out.Write(buffer)
	return err
}

// Generate writes a whole directory, one NDJSON file per type, into what
// create returns for each.
func Generate(o Options, create func(typ string) (io.WriteCloser, error)) error {
	d, err := New(o)
	if err != nil {
		return err
	}
	for _, typ := range Types {
		file, err := create(typ)
		if err != nil {
			return err
		}
		if err := d.Write(file, typ); err != nil {
			file.Close()
			return fmt.Errorf("writing %s: %w", typ, err)
		}
		if err := file.Close(); err != nil {
			return fmt.Errorf("writing %s: %w", typ, err)
		}
	}
	return nil
}
