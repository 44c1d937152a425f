package redact

import (
	"regexp"
	"strings"
)

// cities are the communes of a hundred thousand people or more: an address in
// one of them points at nobody. Their names, with INSEE and postal codes.
var cities, cityCodes = func() (names, codes map[string]bool) {
	names, codes = map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(largeCities) {
		name, numbers, _ := strings.Cut(strings.TrimSpace(line), ":")
		names[name] = true
		for _, code := range strings.Fields(numbers) {
			first, last, isRange := strings.Cut(code, "-")
			from, _ := number(first)
			to, ok := number(last)
			if !isRange || !ok {
				to = from
			}
			for n := from; n <= to; n++ {
				codes[pad(n, 5)] = true
			}
		}
	}
	return names, codes
}()

const largeCities = `PARIS: 75056 75101-75120 75001-75020 75116
MARSEILLE: 13055 13201-13216 13001-13016
LYON: 69123 69381-69389 69001-69009
TOULOUSE: 31555 31000 31100 31200 31300 31400 31500
NICE: 06088 06000 06100 06200 06300
NANTES: 44109 44000 44100 44200 44300
MONTPELLIER: 34172 34000 34070 34080 34090
STRASBOURG: 67482 67000 67100 67200
BORDEAUX: 33063 33000 33100 33200 33300 33800
LILLE: 59350 59000 59160 59260 59777 59800
RENNES: 35238 35000 35200 35700
REIMS: 51454 51100
TOULON: 83137 83000 83100 83200
SAINT ETIENNE: 42218 42000 42100
LE HAVRE: 76351 76600 76610 76620
GRENOBLE: 38185 38000 38100
DIJON: 21231 21000
ANGERS: 49007 49000 49100
NIMES: 30189 30000 30900
VILLEURBANNE: 69266 69100
CLERMONT FERRAND: 63113 63000 63100
AIX EN PROVENCE: 13001 13080 13090 13100
LE MANS: 72181 72000 72100
BREST: 29019 29200
TOURS: 37261 37000 37100 37200
AMIENS: 80021 80000 80080 80090
LIMOGES: 87085 87000 87100 87280
ANNECY: 74010 74000
PERPIGNAN: 66136 66000 66100
BOULOGNE BILLANCOURT: 92012 92100
METZ: 57463 57000 57050 57070
BESANCON: 25056 25000
ORLEANS: 45234 45000 45100
SAINT DENIS: 93066 93200 93210 97411 97400 97417 97490
ARGENTEUIL: 95018 95100
ROUEN: 76540 76000 76100
MONTREUIL: 93048 93100
MULHOUSE: 68224 68100 68200
CAEN: 14118 14000
NANCY: 54395 54000 54100
SAINT PAUL: 97415 97411 97460`

var cityTail = regexp.MustCompile(`( CEDEX)?( [0-9]{1,2})?$`)

// cityName keeps a large city, its arrondissement and CEDEX, and maps others.
func (r *Redactor) cityName(v string) string {
	plain := strings.ToUpper(fold(strings.NewReplacer("-", " ", "’", " ", "'", " ").Replace(v)))
	if cities[cityTail.ReplaceAllString(plain, "")] {
		return v
	}
	r.count(city)
	return r.phrase(city, v, kept)
}

var postalForm = regexp.MustCompile(`^[0-9][0-9AB][0-9]{3}$`)

// areaCode keeps the postal or INSEE code of a large city, and the département
// of any other.
func (r *Redactor) areaCode(v string) (string, bool) {
	if cityCodes[v] {
		return v, true
	}
	if !postalForm.MatchString(v) {
		if len(v) <= 2 { // a search by département
			_, ok := number(v)
			return v, ok || v == "2A" || v == "2B"
		}
		return "", false
	}
	r.count(postcode)
	head := v[:2] + "99"
	if v[:2] == "97" || v[:2] == "98" {
		head = v[:3] + "9"
	}
	return head + string(numerals[r.keyed.text(postcode.tweak(), v)%10]), true
}
