package synth

import (
	"strconv"
	"strings"
	"sync"
)

// A commune is a place of the address: facts of the official geographical code
// and of the post.
type commune struct{ name, postcode, insee string }

// A département with its weight in the country (population, thousands), its
// regional health agency and its phone zone.
type département struct {
	code     string
	weight   int
	agency   string
	zone     int
	communes []commune
}

// A geography lays the départements out on a line whose length is the
// population, so that "near" is a difference of positions.
type geography struct {
	départements []département
	starts       []int // where each begins on the line
	length       int
}

var country = sync.OnceValue(func() *geography {
	g := new(geography)
	for line := range strings.Lines(départementTable) {
		head, tail, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		fields := strings.Fields(head)
		d := département{code: fields[0], weight: number(fields[1]), agency: fields[2], zone: number(fields[3])}
		for item := range strings.SplitSeq(tail, ",") {
			parts := strings.Fields(item)
			n := len(parts)
			d.communes = append(d.communes, commune{strings.Join(parts[:n-2], " "), parts[n-2], parts[n-1]})
		}
		g.starts = append(g.starts, g.length)
		g.départements, g.length = append(g.départements, d), g.length+d.weight
	}
	return g
})

func number(s string) (n int) {
	for _, c := range []byte(s) {
		n = 10*n + int(c-'0')
	}
	return n
}

// at returns the département at a position of the line.
func (g *geography) at(position int) *département {
	low, high := 0, len(g.starts)
	for high-low > 1 {
		if middle := (low + high) / 2; g.starts[middle] <= position {
			low = middle
		} else {
			high = middle
		}
	}
	return &g.départements[low]
}

// code, population, agency, phone zone: communes with postcode and INSEE code.
// The three-letter islands of the Atlantic and the Caribbean have no agency of
// their own: Guadeloupe's answers for Saint-Barthélemy and Saint-Martin, the
// ATS for Saint-Pierre-et-Miquelon.
const départementTable = `
01 680 ARS-84 4: BOURG EN BRESSE 01000 01053, OYONNAX 01100 01283, AMBERIEU EN BUGEY 01500 01004
02 520 ARS-32 3: LAON 02000 02408, SAINT QUENTIN 02100 02691, SOISSONS 02200 02722
03 330 ARS-84 4: MOULINS 03000 03190, MONTLUCON 03100 03185, VICHY 03200 03310
04 170 ARS-93 4: DIGNE LES BAINS 04000 04070, MANOSQUE 04100 04112
05 140 ARS-93 4: GAP 05000 05061, BRIANCON 05100 05023
06 1110 ARS-93 4: NICE 06000 06088, CANNES 06400 06029, GRASSE 06130 06069, MENTON 06500 06083
07 340 ARS-84 4: PRIVAS 07000 07186, AUBENAS 07200 07019, ANNONAY 07100 07010
08 260 ARS-44 3: CHARLEVILLE MEZIERES 08000 08105, SEDAN 08200 08409
09 155 ARS-76 5: FOIX 09000 09122, PAMIERS 09100 09225
10 310 ARS-44 3: TROYES 10000 10387
11 380 ARS-76 4: CARCASSONNE 11000 11069, NARBONNE 11100 11262
12 280 ARS-76 5: RODEZ 12000 12202, MILLAU 12100 12145
13 2060 ARS-93 4: MARSEILLE 13001 13201, MARSEILLE 13005 13205, MARSEILLE 13008 13208, AIX EN PROVENCE 13100 13001, AIX EN PROVENCE 13290 13001, ARLES 13200 13004
14 700 ARS-28 2: CAEN 14000 14118, LISIEUX 14100 14366
15 145 ARS-84 4: AURILLAC 15000 15014
16 350 ARS-75 5: ANGOULEME 16000 16015, COGNAC 16100 16102
17 660 ARS-75 5: LA ROCHELLE 17000 17300, SAINTES 17100 17415, ROCHEFORT 17300 17299
18 300 ARS-24 2: BOURGES 18000 18033, VIERZON 18100 18279
19 240 ARS-75 5: TULLE 19000 19272, BRIVE LA GAILLARDE 19100 19031
2A 165 ARS-94 4: AJACCIO 20000 2A004, PORTO VECCHIO 20137 2A247
2B 185 ARS-94 4: BASTIA 20200 2B033, CORTE 20250 2B096, CALVI 20260 2B050
21 535 ARS-27 3: DIJON 21000 21231, BEAUNE 21200 21054
22 605 ARS-53 2: SAINT BRIEUC 22000 22278, LANNION 22300 22113
23 115 ARS-75 5: GUERET 23000 23096
24 415 ARS-75 5: PERIGUEUX 24000 24322, BERGERAC 24100 24037
25 550 ARS-27 3: BESANCON 25000 25056, MONTBELIARD 25200 25388
26 525 ARS-84 4: VALENCE 26000 26362, ROMANS SUR ISERE 26100 26281
27 600 ARS-28 2: EVREUX 27000 27229, VERNON 27200 27681
28 430 ARS-24 2: CHARTRES 28000 28085, DREUX 28100 28134
29 920 ARS-53 2: QUIMPER 29000 29232, BREST 29200 29019
30 760 ARS-76 4: NIMES 30000 30189, ALES 30100 30007
31 1440 ARS-76 5: TOULOUSE 31000 31555, COLOMIERS 31770 31149, MURET 31600 31395
32 190 ARS-76 5: AUCH 32000 32013
33 1660 ARS-75 5: BORDEAUX 33000 33063, MERIGNAC 33700 33281, PESSAC 33600 33318, ARCACHON 33120 33009
34 1200 ARS-76 4: MONTPELLIER 34000 34172, BEZIERS 34500 34032, SETE 34200 34301
35 1100 ARS-53 2: RENNES 35000 35238, SAINT MALO 35400 35288, FOUGERES 35300 35115
36 215 ARS-24 2: CHATEAUROUX 36000 36044
37 615 ARS-24 2: TOURS 37000 37261
38 1290 ARS-84 4: GRENOBLE 38000 38185, VIENNE 38200 38544, BOURGOIN JALLIEU 38300 38053
39 260 ARS-27 3: LONS LE SAUNIER 39000 39300, DOLE 39100 39198
40 425 ARS-75 5: MONT DE MARSAN 40000 40192, DAX 40100 40088
41 330 ARS-24 2: BLOIS 41000 41018
42 770 ARS-84 4: SAINT ETIENNE 42000 42218, ROANNE 42300 42187
43 230 ARS-84 4: LE PUY EN VELAY 43000 43157
44 1470 ARS-52 2: NANTES 44000 44109, SAINT NAZAIRE 44600 44184
45 685 ARS-24 2: ORLEANS 45000 45234, MONTARGIS 45200 45208
46 175 ARS-76 5: CAHORS 46000 46042
47 330 ARS-75 5: AGEN 47000 47001
48 77 ARS-76 4: MENDE 48000 48095
49 825 ARS-52 2: ANGERS 49000 49007, CHOLET 49300 49099, SAUMUR 49400 49328
50 495 ARS-28 2: SAINT LO 50000 50502, CHERBOURG EN COTENTIN 50100 50129
51 565 ARS-44 3: CHALONS EN CHAMPAGNE 51000 51108, REIMS 51100 51454, EPERNAY 51200 51230
52 170 ARS-44 3: CHAUMONT 52000 52121
53 305 ARS-52 2: LAVAL 53000 53130
54 730 ARS-44 3: NANCY 54000 54395
55 180 ARS-44 3: BAR LE DUC 55000 55029, VERDUN 55100 55545
56 770 ARS-53 2: VANNES 56000 56260, LORIENT 56100 56121
57 1050 ARS-44 3: METZ 57000 57463, THIONVILLE 57100 57672
58 200 ARS-27 3: NEVERS 58000 58194
59 2610 ARS-32 3: LILLE 59000 59350, ROUBAIX 59100 59512, TOURCOING 59200 59599, DUNKERQUE 59140 59183, VALENCIENNES 59300 59606, DOUAI 59500 59178
60 830 ARS-32 3: BEAUVAIS 60000 60057, COMPIEGNE 60200 60159
61 275 ARS-28 2: ALENCON 61000 61001
62 1460 ARS-32 3: ARRAS 62000 62041, CALAIS 62100 62193, LENS 62300 62498, BOULOGNE SUR MER 62200 62160
63 665 ARS-84 4: CLERMONT FERRAND 63000 63113, RIOM 63200 63300
64 690 ARS-75 5: PAU 64000 64445, BAYONNE 64100 64102, BIARRITZ 64200 64122
65 230 ARS-76 5: TARBES 65000 65440, LOURDES 65100 65286
66 490 ARS-76 4: PERPIGNAN 66000 66136
67 1160 ARS-44 3: STRASBOURG 67000 67482, HAGUENAU 67500 67180
68 770 ARS-44 3: COLMAR 68000 68066, MULHOUSE 68100 68224
69 1910 ARS-84 4: LYON 69001 69381, LYON 69003 69383, LYON 69008 69388, VILLEURBANNE 69100 69266, VENISSIEUX 69200 69259
70 235 ARS-27 3: VESOUL 70000 70550
71 550 ARS-27 3: MACON 71000 71270, CHALON SUR SAONE 71100 71076
72 565 ARS-52 2: LE MANS 72000 72181
73 445 ARS-84 4: CHAMBERY 73000 73065, ALBERTVILLE 73200 73011, AIX LES BAINS 73100 73008
74 860 ARS-84 4: ANNECY 74000 74010, ANNEMASSE 74100 74012, THONON LES BAINS 74200 74281
75 2130 ARS-11 1: PARIS 75001 75101, PARIS 75005 75105, PARIS 75011 75111, PARIS 75013 75113, PARIS 75014 75114, PARIS 75015 75115, PARIS 75016 75116, PARIS 75018 75118, PARIS 75020 75120
76 1255 ARS-28 2: ROUEN 76000 76540, LE HAVRE 76600 76351, DIEPPE 76200 76217
77 1450 ARS-11 1: MELUN 77000 77288, MEAUX 77100 77284, FONTAINEBLEAU 77300 77186
78 1470 ARS-11 1: VERSAILLES 78000 78646, SAINT GERMAIN EN LAYE 78100 78551, MANTES LA JOLIE 78200 78361, POISSY 78300 78498, RAMBOUILLET 78120 78517
79 375 ARS-75 5: NIORT 79000 79191
80 565 ARS-32 3: AMIENS 80000 80021, ABBEVILLE 80100 80001
81 395 ARS-76 5: ALBI 81000 81004, CASTRES 81100 81065
82 265 ARS-76 5: MONTAUBAN 82000 82121
83 1100 ARS-93 4: TOULON 83000 83137, FREJUS 83600 83061, HYERES 83400 83069, DRAGUIGNAN 83300 83050
84 565 ARS-93 4: AVIGNON 84000 84007, CARPENTRAS 84200 84031, ORANGE 84100 84087
85 700 ARS-52 2: LA ROCHE SUR YON 85000 85191
86 440 ARS-75 5: POITIERS 86000 86194, CHATELLERAULT 86100 86066
87 370 ARS-75 5: LIMOGES 87000 87085
88 360 ARS-44 3: EPINAL 88000 88160
89 335 ARS-27 3: AUXERRE 89000 89024, SENS 89100 89387
90 140 ARS-27 3: BELFORT 90000 90010
91 1320 ARS-11 1: EVRY COURCOURONNES 91000 91228, MASSY 91300 91377, CORBEIL ESSONNES 91100 91174
92 1640 ARS-11 1: NANTERRE 92000 92050, BOULOGNE BILLANCOURT 92100 92012, NEUILLY SUR SEINE 92200 92051, LEVALLOIS PERRET 92300 92044
93 1680 ARS-11 1: BOBIGNY 93000 93008, MONTREUIL 93100 93048, SAINT DENIS 93200 93066
94 1420 ARS-11 1: CRETEIL 94000 94028, VINCENNES 94300 94080, VITRY SUR SEINE 94400 94081
95 1270 ARS-11 1: CERGY 95000 95127, PONTOISE 95300 95500, ARGENTEUIL 95100 95018
971 380 ARS-01 5: POINTE A PITRE 97110 97120, BASSE TERRE 97100 97105, LES ABYMES 97139 97101
972 350 ARS-02 5: FORT DE FRANCE 97200 97209, LE LAMENTIN 97232 97213
973 295 ARS-03 5: CAYENNE 97300 97302, KOUROU 97310 97304, SAINT LAURENT DU MARONI 97320 97311
974 880 ARS-05 2: SAINT DENIS 97400 97411, SAINT PIERRE 97410 97416, SAINT PAUL 97460 97415
975 6 AT-975 5: SAINT PIERRE 97500 97502
976 320 ARS-06 2: MAMOUDZOU 97600 97611
977 11 ARS-01 5: SAINT BARTHELEMY 97133 97701
978 32 ARS-01 5: SAINT MARTIN 97150 97801
`

// A street type: its code in the nomenclature and the word on the door plate.
var streetTypes = []struct{ code, label string }{
	{"R", "RUE"}, {"R", "RUE"}, {"R", "RUE"}, {"R", "RUE"}, {"AV", "AVENUE"}, {"AV", "AVENUE"}, {"BD", "BOULEVARD"},
	{"PL", "PLACE"}, {"CHE", "CHEMIN"}, {"RTE", "ROUTE"}, {"IMP", "IMPASSE"}, {"ALL", "ALLEE"}, {"QU", "QUAI"}, {"SQ", "SQUARE"},
}

// A postal address. The live service splits the line into extensions and
// prints no line itself (ans-api.md §4.4); a quarter of ours has both, so that
// the parameter address-line finds something.
type postal struct {
	insee          string
	number, suffix string
	street         struct{ code, label, base string }
	box            string
	line           lineStyle
	city, postcode string
}

type lineStyle byte

const (
	lineAbsent lineStyle = iota
	linePrinted
	lineNull // [null], seen in 2023 (incidents.md D24)
)

func (o *structure) writeAddress(w *writer) {
	a := o.address
	if a == nil {
		return
	}
	w.open("address", "[{")
	if a.insee != "" {
		w.open("extension", "[")
		w.extension(frx + "fr-core-address-insee-code")
		w.open("valueCoding", "{")
		w.text("system", communeSystem)
		w.text("code", a.insee)
		w.close("}}]")
	}
	switch a.line {
	case linePrinted:
		w.open("line", "[")
		w.quote(a.number + " " + a.street.label + " " + a.street.base)
		w.close("]")
	case lineNull:
		w.key("line")
		w.close("[null]")
	}
	w.open("_line", `[{"extension":[`)
	w.extensionText(hl7+"iso21090-ADXP-houseNumber", "valueString", a.number)
	if a.suffix != "" {
		w.extensionText(hl7+"iso21090-ADXP-buildingNumberSuffix", "valueString", a.suffix)
	}
	w.extensionText(hl7+"iso21090-ADXP-streetNameType", "valueString", a.street.code)
	w.extensionText(hl7+"iso21090-ADXP-streetNameBase", "valueString", a.street.base)
	if a.box != "" {
		w.extensionText(hl7+"iso21090-ADXP-postBox", "valueString", a.box)
	}
	w.close("]}]")
	w.text("city", a.city)
	w.text("postalCode", a.postcode)
	w.close("}]")
}

// place draws an address in a commune.
func place(s *source, c commune) *postal {
	kind := pick(s, streetTypes)
	a := &postal{insee: c.insee, number: strconv.Itoa(s.between(1, 180)), city: c.name, postcode: c.postcode}
	a.street.code, a.street.label, a.street.base = kind.code, kind.label, pick(s, vocabularies().streets).mixed
	switch {
	case s.percent(25):
		a.line = linePrinted
	case s.percent(10):
		a.suffix = "B"
	case s.percent(8):
		a.box = "BP " + strconv.Itoa(s.between(10, 900))
	}
	return a
}
