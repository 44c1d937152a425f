package synth

// A setting is a kind of structure, as those who work there see it.
type setting string

const (
	nowhere    setting = "" // a legal entity: an office with a brass plate
	office     setting = "office"
	hospital   setting = "hospital"
	centre     setting = "centre"
	imaging    setting = "imaging"
	laboratory setting = "laboratory"
	pharmacy   setting = "pharmacy"
	social     setting = "social"
	shop       setting = "shop"
	other      setting = "other"
)

func (s setting) domain() string { return string(s) + ".mssante.fr" + ReservedDomain }

// A register knows a structure, and says by which number.
type register byte

const (
	byFINESS register = iota
	bySIRET
	byRang // known through a practitioner of the RPPS
)

// A plan is what a structure of some kind looks like.
type plan struct {
	setting                         setting
	known                           register
	sector, category, naf, sph, law string
	title                           string
}

func legal(law, title string) plan { return plan{law: law, title: title} }

func site(where setting, sector, category, naf, title string) plan {
	return plan{setting: where, sector: sector, category: category, naf: naf, title: title}
}

func practice(known register, sector, naf, title string) plan {
	return plan{setting: office, known: known, sector: sector, naf: naf, title: title}
}

func (p plan) public(sph string) plan { p.sph = sph; return p }

// A block is four structures that stand together: a legal entity and its
// three places, or four practices of one neighbourhood.
const blockSize = 4

var offices = [...][blockSize]plan{
	{practice(byRang, "SA07", "86.21Z", "CABINET MEDICAL"), practice(byRang, "SA07", "86.90D", "CABINET INFIRMIER"),
		practice(byRang, "SA08", "86.90E", "CABINET DE KINESITHERAPIE"), practice(bySIRET, "SA09", "86.23Z", "SELARL DENTAIRE")},
	{practice(byRang, "SA08", "86.21Z", "CABINET MEDICAL"), practice(byRang, "SA07", "86.90F", "CABINET DE PSYCHOLOGIE"),
		practice(byRang, "SA07", "86.90D", "CABINET DE SAGE-FEMME"), practice(bySIRET, "SA09", "86.22C", "CABINET DE CARDIOLOGIE")},
	{practice(byRang, "SA07", "86.23Z", "CABINET DENTAIRE"), practice(byRang, "SA08", "86.90D", "CABINET INFIRMIER"),
		practice(byRang, "SA07", "86.90E", "CABINET D'ORTHOPHONIE"), practice(byRang, "SA07", "86.22C", "CABINET DE PNEUMOLOGIE")},
}

// blocks are the kinds of blocks in the order in which they come, over and
// over: any stretch of this many holds every kind, small directories have
// everything, and where a kind of structure stands needs no search.
var blocks = [...][blockSize]plan{
	{legal("14", "CENTRE HOSPITALIER INTERCOMMUNAL"), site(hospital, "SA01", "355", "86.10Z", "CENTRE HOSPITALIER").public("1"),
		site(social, "SA17", "500", "87.10A", "EHPAD"), site(hospital, "SA01", "156", "86.10Z", "CENTRE MEDICO-PSYCHOLOGIQUE").public("1")},
	offices[0],
	{legal("85", "SELARL PHARMACIE"), site(pharmacy, "SA33", "620", "47.73Z", "PHARMACIE"),
		site(pharmacy, "SA65", "641", "47.73Z", "ANTENNE DE LA PHARMACIE"), site(pharmacy, "SA33", "620", "47.73Z", "GRANDE PHARMACIE")},
	offices[1],
	{legal("91", "SELAS IMAGERIE"), site(imaging, "SA09", "", "86.22A", "CENTRE D'IMAGERIE MEDICALE"),
		site(imaging, "SA09", "", "86.22A", "SCANNER ET IRM"), site(imaging, "SA08", "", "86.22A", "CABINET DE RADIOLOGIE")},
	offices[2],
	{legal("60", "ASSOCIATION SANTE POUR TOUS"), site(centre, "SA05", "124", "86.21Z", "CENTRE DE SANTE"),
		site(centre, "SA05", "124", "86.23Z", "CENTRE DE SANTE DENTAIRE"), site(centre, "SA05", "124", "86.90D", "CENTRE DE SOINS INFIRMIERS")},
	{legal("13", "CENTRE HOSPITALIER REGIONAL"), site(hospital, "SA01", "101", "86.10Z", "HOPITAL").public("1"),
		site(hospital, "SA01", "101", "86.10Z", "HOPITAL MERE-ENFANT").public("1"), site(hospital, "SA01", "362", "86.10Z", "UNITE DE SOINS DE LONGUE DUREE").public("1")},
	offices[0],
	{legal("91", "SELAS BIOLOGIE"), site(laboratory, "SA25", "611", "86.90B", "LABORATOIRE DE BIOLOGIE MEDICALE"),
		site(laboratory, "SA25", "611", "86.90B", "LABORATOIRE"), site(laboratory, "SA29", "610", "86.90B", "LABORATOIRE D'ANALYSES")},
	{legal("60", "ASSOCIATION D'AIDE AUX ENFANTS"), site(social, "SA16", "183", "87.10B", "IME"),
		site(social, "SA16", "182", "88.91B", "SESSAD"), site(social, "SA16", "246", "88.10C", "ESAT")},
	offices[1],
	{legal("95", "SAS CLINIQUE"), site(hospital, "SA04", "365", "86.10Z", "CLINIQUE"),
		site(hospital, "SA04", "109", "86.10Z", "CLINIQUE DE READAPTATION"), site(hospital, "SA34", "141", "86.10Z", "CENTRE DE DIALYSE")},
	{legal("47", "MUTUELLE"), site(pharmacy, "SA39", "629", "47.73Z", "PHARMACIE MUTUALISTE"),
		site(pharmacy, "SA38", "628", "47.73Z", "PHARMACIE MINIERE"), site(shop, "SA42", "", "47.73Z", "OPTIQUE MUTUALISTE")},
	offices[2],
	{legal("17", "CENTRE COMMUNAL D'ACTION SOCIALE"), site(social, "SA17", "500", "87.10A", "EHPAD"),
		site(social, "SA17", "202", "87.30A", "RESIDENCE AUTONOMIE"), site(social, "SA18", "354", "88.10A", "SSIAD")},
	{legal("80", "SISA"), site(centre, "SA52", "603", "86.21Z", "MAISON DE SANTE"),
		site(centre, "SA52", "603", "86.21Z", "POLE DE SANTE"), site(centre, "SA67", "617", "86.21Z", "MAISON MEDICALE DE GARDE")},
	offices[0],
	{legal("61", "FONDATION HOSPITALIERE"), site(hospital, "SA03", "365", "86.10Z", "HOPITAL PRIVE").public("6"),
		site(hospital, "SA36", "131", "86.10Z", "CENTRE DE LUTTE CONTRE LE CANCER").public("6"), site(hospital, "SA30", "127", "86.10Z", "HOSPITALISATION A DOMICILE").public("6")},
	{legal("02", "CONSEIL DEPARTEMENTAL"), site(social, "SA20", "177", "87.90A", "MAISON D'ENFANTS"),
		site(social, "SA20", "175", "87.90A", "FOYER DE L'ENFANCE"), site(social, "SA15", "223", "86.21Z", "PMI")},
	offices[1],
	{legal("72", "SARL OPTIQUE"), site(shop, "SA42", "", "47.73Z", "OPTIQUE"),
		site(shop, "SA42", "", "47.73Z", "AUDITION"), site(shop, "SA42", "", "47.73Z", "ORTHOPEDIE")},
	{legal("01", "SERVICE DE SANTE"), site(hospital, "SA02", "114", "86.10Z", "HOPITAL D'INSTRUCTION"),
		site(hospital, "SA02", "115", "86.10Z", "ANTENNE MEDICALE"), site(hospital, "SA06", "115", "86.10Z", "CENTRE MEDICAL DES ARMEES")},
	{legal("60", "ASSOCIATION D'INSERTION"), site(social, "SA21", "214", "87.90B", "CHRS"),
		site(social, "SA41", "197", "86.90F", "CSAPA"), site(social, "SA41", "180", "87.90B", "LITS HALTE SOINS SANTE")},
	{legal("85", "SELARL PHARMACIE"), site(pharmacy, "SA33", "620", "47.73Z", "PHARMACIE"),
		site(pharmacy, "SA33", "620", "47.73Z", "PHARMACIE CENTRALE"), site(pharmacy, "SA33", "620", "47.73Z", "PHARMACIE NOUVELLE")},
	offices[2],
	{legal("73", "SA ASSISTANCE"), site(other, "SA10", "", "86.90A", "AMBULANCES"),
		site(other, "SA61", "632", "86.90F", "OXYGENE A DOMICILE"), site(other, "SA66", "616", "86.21Z", "SANTE AU TRAVAIL")},
}

// cycle is how many structures pass before the blocks begin again.
const cycle = blockSize * len(blocks)

// settings lists the positions in the cycle of every kind of structure.
var settings = func() map[setting][]int {
	positions := map[setting][]int{}
	for b := range blocks {
		for i := range blocks[b] {
			where := blocks[b][i].setting
			positions[where] = append(positions[where], b*blockSize+i)
		}
	}
	return positions
}()

// places lists the positions of every structure that is no legal entity.
var places = func() []int {
	var positions []int
	for i := range cycle {
		if !planOf(i).legal() {
			positions = append(positions, i)
		}
	}
	return positions
}()

// planOf returns the plan of the i-th structure.
func planOf(i int) *plan { return &blocks[i/blockSize%len(blocks)][i%blockSize] }

func (p *plan) legal() bool { return p.setting == nowhere }
