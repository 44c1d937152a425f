package synth

// A profession: how many of ten thousand people have it, what they had to
// learn, who keeps their register and where they work.
type profession struct {
	share     int
	code      coding
	degree    string // of TRE_R48
	authority string // of TRE_R60, "" for the regional agency
	title     string
	knowHow   func(*source) []pair
	places    weighted[placement]
}

// A placement is a kind of structure and the way of working there.
type placement struct {
	setting setting
	mode    string // of TRE_R23
	codes   []coding
}

func work(weight int, where setting, mode string, codes ...coding) share[placement] {
	return share[placement]{placement{where, mode, codes}, weight}
}

func fon(code string) coding      { return functions.of("FON-" + code) }
func section(code string) coding  { return pharmacists.of(code) }
func careRole(code string) coding { return careRoles.of(code) }

// trades are the professions with their share of the country's people, near
// enough. Those of fewer than 66 in ten thousand are raised to that, the rarest
// few aside: people step through the shares by the golden section, whose steps
// miss none so wide in three hundred.
var trades = weigh(
	trade(2300, professions.of("10"), "DE05", "CNOM", "DR", doctorKnowHow,
		work(42, office, "L", fon("01")), work(6, office, "L", fon("02")), work(5, office, "L", fon("17")), work(34, hospital, "S", fon("33")),
		work(6, centre, "S", fon("33")), work(4, imaging, "L", fon("02")), work(3, social, "S", fon("63")),
		work(2, hospital, "S", fon("33"), armyStatuses.of("STA-SSA-02"))),
	trade(2700, professions.of("60"), "DE09", "ONI", "", nurseKnowHow,
		work(30, office, "L", fon("01")), work(50, hospital, "S", fon("33")), work(14, social, "S", fon("33")), work(6, centre, "S", fon("33"))),
	trade(850, professions.of("21"), "DE02", "CNOP", "DR", nil,
		work(38, pharmacy, "L", fon("03"), section("A")), work(42, pharmacy, "S", fon("05"), section("D")),
		work(10, hospital, "S", fon("37"), section("H")), work(8, laboratory, "S", fon("41"), section("G")),
		work(2, pharmacy, "L", fon("03"), section("E"), pharmacistSubs.of("EA"))),
	trade(950, professions.of("70"), "DE11", "CNOMK", "", nil,
		work(75, office, "L", fon("01")), work(15, hospital, "S", fon("33")), work(10, office, "L", fon("18"))),
	trade(560, professions.of("40"), "DE03", "ONCD", "DR", dentistKnowHow,
		work(80, office, "L", fon("01")), work(20, centre, "S", fon("33"))),
	trade(520, userTitles.of("93"), "DE15", "", "", nil,
		work(60, office, "L", fon("01")), work(20, hospital, "S", fon("33")), work(20, social, "S", fon("33"))),
	trade(280, professions.of("50"), "DE06", "CNOSF", "", nil,
		work(45, office, "L", fon("01")), work(55, hospital, "S", fon("33"))),
	trade(260, professions.of("91"), "DE13", "", "", nil, work(85, office, "L", fon("01")), work(15, social, "S", fon("33"))),
	trade(220, professions.of("28"), "DE08", "", "", nil, work(100, shop, "S", fon("33"))),
	trade(210, professions.of("98"), "DE39", "", "", nil, work(60, hospital, "S", fon("33")), work(40, imaging, "S", fon("33"))),
	trade(190, professions.of("86"), "DE38", "", "", nil, work(100, laboratory, "S", fon("33"))),
	trade(190, userTitles.of("71"), "", "", "", nil, work(100, office, "L", fon("01"))),
	trade(140, professions.of("80"), "DE12", "CNOPP", "", nil, work(100, office, "L", fon("01"))),
	trade(120, professions.of("94"), "DE30", "", "", nil, work(60, social, "S", fon("33")), work(40, hospital, "S", fon("33"))),
	trade(90, professions.of("96"), "DE32", "", "", nil, work(60, social, "S", fon("33")), work(40, office, "L", fon("01"))),
	trade(80, professions.of("95"), "", "", "", nil, work(60, hospital, "S", fon("33")), work(40, office, "L", fon("01"))),
	trade(66, professions.of("31"), "", "", "", nil, work(100, office, "S", fon("33"))),
	trade(66, professions.of("92"), "DE14", "", "", nil, work(100, office, "L", fon("01"))),
	trade(66, professions.of("26"), "DE29", "", "", nil, work(100, shop, "S", fon("33"))),
	trade(66, socialProfession.of("41"), "DE28", "", "", nil, work(100, social, "S", fon("33"))),
	trade(66, userTitles.of("72"), "", "", "", nil, work(100, office, "L", fon("01"))),
	trade(66, professions.of("83"), "", "", "", nil, work(100, shop, "S", fon("33"))),
	trade(66, userTitles.of("73"), "", "", "", nil, work(100, office, "L", fon("01"))),
	trade(15, professions.of("32"), "", "", "", nil, work(100, hospital, "S", fon("33"))),
	trade(8, professions.of("81"), "", "", "", nil, work(100, shop, "S", fon("33"))),
	trade(7, professions.of("82"), "", "", "", nil, work(100, shop, "S", fon("33"))),
	trade(5, professions.of("84"), "", "", "", nil, work(100, shop, "S", fon("33"))),
	trade(5, professions.of("85"), "", "", "", nil, work(100, shop, "S", fon("33"))),
	// People known by their role alone: the function says what they do.
	trade(70, otherProfession.of("99"), "", "", "", nil,
		work(40, hospital, "S", careRole("313")), work(20, social, "S", careRole("328")), work(20, pharmacy, "S", careRole("317")), work(15, hospital, "S", careRole("314")),
		work(5, shop, "L", sanitaryRoles.of("407"))),
)

func trade(people int, code coding, degree, authority, title string, knowHow func(*source) []pair, places ...share[placement]) share[*profession] {
	return share[*profession]{&profession{people, code, degree, authority, title, knowHow, weigh(places...)}, people}
}

// general practice under its four names, then the rest of the doctors'
// specialties.
var (
	generalPractice = specialties.only("SM54", "SM26", "SM53", "SM54")
	otherMedicine   = specialtiesLike("SM")
	dentistry       = specialtiesLike("SCD")
	advancedNursing = specialtiesLike("SI")
)

func specialtiesLike(prefix string) codeList {
	list := codeList{system: specialties.system}
	for _, code := range specialties.codes {
		if len(code) > len(prefix) && code[:len(prefix)] == prefix {
			list.codes = append(list.codes, code)
		}
	}
	return list
}

func doctorKnowHow(s *source) []pair {
	list := otherMedicine
	if s.percent(45) {
		list = generalPractice
	}
	pairs := []pair{{knowHowTypes.of("S"), list.draw(s)}}
	if s.percent(25) {
		more := knowHows[s.between(1, len(knowHows)-1)]
		pairs = append(pairs, pair{knowHowTypes.of(more.kind), more.list.draw(s)})
	}
	return pairs
}

func dentistKnowHow(s *source) []pair { return sometimes(s, 12, dentistry) }
func nurseKnowHow(s *source) []pair   { return sometimes(s, 4, advancedNursing) }

func sometimes(s *source, percent int, list codeList) []pair {
	if !s.percent(percent) {
		return nil
	}
	return []pair{{knowHowTypes.of("S"), list.draw(s)}}
}
