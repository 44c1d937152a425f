package synth

import (
	"iter"
	"strings"
	"sync"
)

// A coding is what the live service prints of one: system and code, no display
// (ans-api.md §4, incidents.md D26).
type coding struct{ system, code string }

// A codeList is a code system, or the part of it that an element may use.
type codeList struct {
	system string
	codes  []string
}

// at returns the n-th code, counting round.
func (l codeList) at(n int) coding { return coding{l.system, l.codes[n%len(l.codes)]} }

func (l codeList) draw(s *source) coding { return l.at(s.below(len(l.codes))) }

// of returns one code of the list.
func (l codeList) of(code string) coding { return coding{l.system, code} }

// nos returns a code system of the table, without the codes that the element's
// value set leaves out.
func nos(name string, without ...string) codeList {
	entry, ok := nosCodes[name]
	if !ok {
		panic("synth: no code system " + name)
	}
	list := codeList{system: entry.system}
	for _, code := range strings.Fields(entry.codes) {
		if !contains(without, code) {
			list.codes = append(list.codes, code)
		}
	}
	return list
}

// IsCode reports whether a nomenclature has a code in force.
func IsCode(code string) bool { return allCodes()[code] }

var allCodes = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for _, entry := range nosCodes {
		for code := range strings.FieldsSeq(entry.codes) {
			all[code] = true
		}
	}
	return all
})

// CodeSystems are the addresses of the nomenclatures.
func CodeSystems() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, entry := range nosCodes {
			if !yield(entry.system) {
				return
			}
		}
	}
}

// only narrows a list to what the element's value set keeps of it.
func (l codeList) only(codes ...string) codeList { return codeList{l.system, codes} }

func contains(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}

// The code systems, by the element that uses them; the value sets are those
// that the DP profiles bind (J81, J89, J106 …).
var (
	degreeTypes      = nos("R14")
	degrees          = nos("R48")
	categories       = nos("R09")
	professions      = nos("G15", "69")
	userTitles       = nos("R95")
	socialProfession = nos("R94")
	otherProfession  = nos("R291")
	knowHowTypes     = nos("R04")
	specialties      = nos("R38")
	cardTypes        = nos("R87")

	kindsOfActivity = nos("R22")
	modes           = nos("R23")
	liberalTypes    = nos("R24")
	armyStatuses    = nos("R34")
	hospitalStatus  = nos("R32")
	functions       = nos("R21")
	careRoles       = nos("R85", "373")
	sanitaryRoles   = nos("R96")
	pharmacists     = nos("R06")
	pharmacistSubs  = nos("G05")

	sectors         = nos("R02")
	establishments  = nos("R66")
	legalStatuses   = nos("R72")
	publicService   = nos("R73")
	sites           = nos("as-cs-type-etablissement")
	nafActivities   = nos("R75")
	pricingModels   = nos("R74")
	closingTypes    = nos("R286")
	careActivities  = nos("R274")
	modalities      = nos("R275")
	forms           = nos("R276")
	disciplines     = nos("R280")
	clienteles      = nos("R279")
	socialTypes     = nos("R209")
	heavyEquipment  = nos("R272")
	authorities     = nos("R60")
	mailboxKinds    = nos("R257")
	messagings      = nos("R256")
	entityTypes     = codeList{"https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-3307", []string{"LEGAL-ENTITY", "GEOGRAPHICAL-ENTITY"}}
	communeSystem   = "https://mos.esante.gouv.fr/NOS/TRE_R13-Commune/FHIR/TRE-R13-Commune"
	identifierTypes = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
)

// knowHows pairs each list of know-how with the type that announces it
// (value sets J91 and J107).
var knowHows = []struct {
	kind string
	list codeList
}{
	{"S", specialties},
	{"C", nos("R39")},
	{"CEX", nos("R40")},
	{"DNQ", nos("R42")},
	{"CAPA", nos("R43")},
	{"PAC", nos("R44")},
	{"FQ", nos("R45")},
	{"DEC", nos("R97")},
	{"OP", nos("G13")},
	{"SST", nos("R359")},
	{"CM", nos("tre-r394-competence-metier")},
}
