package synth

import (
	"strings"
	"sync"
)

// A word is a name in the two ways registers write it, and as it stands in a
// mailbox.
type word struct{ mixed, upper, slug string }

func words(text string) (list []word) {
	for name := range strings.FieldsSeq(text) {
		name = strings.ReplaceAll(name, "_", " ")
		list = append(list, word{name, strings.ToUpper(fold(name)), slug(name)})
	}
	return list
}

// fold removes the accents of French; œ becomes oe.
func fold(s string) string { return unaccent.Replace(s) }

var unaccent = strings.NewReplacer(
	"à", "a", "â", "a", "ä", "a", "ç", "c", "é", "e", "è", "e", "ê", "e", "ë", "e", "î", "i", "ï", "i",
	"ô", "o", "ö", "o", "ù", "u", "û", "u", "ü", "u", "ÿ", "y", "œ", "oe", "æ", "ae",
	"À", "A", "Â", "A", "Ä", "A", "Ç", "C", "É", "E", "È", "E", "Ê", "E", "Ë", "E", "Î", "I", "Ï", "I",
	"Ô", "O", "Ö", "O", "Ù", "U", "Û", "U", "Ü", "U", "Ÿ", "Y", "Œ", "OE", "Æ", "AE")

// slug keeps a-z, 0-9 and hyphens, for mailboxes.
func slug(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(fold(s)) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			b.WriteRune(r)
		case r == ' ', r == '\'', r == '’':
			if b.Len() > 0 {
				b.WriteByte('-')
			}
		}
	}
	return b.String()
}

// A vocabulary is every list that names are drawn from.
type vocabulary struct {
	families, women, men []word
	emblems              []word // DU HERON BLEU, DE LA COLLINE DOREE: names of structures
	streets              []word
}

// vocabularies are built once, at first use: a program that only links the
// package pays nothing.
var vocabularies = sync.OnceValue(func() *vocabulary {
	return &vocabulary{
		families: words(familyNames), women: words(womenNames), men: words(menNames),
		emblems: emblems(), streets: words(streetNames),
	}
})

// emblems combines things with colours into names that no structure is likely
// to bear.
func emblems() (list []word) {
	for _, noun := range strings.Fields(masculine) {
		for _, colour := range strings.Fields("Bleu Blanc Vert Doré Argenté Pourpre Ardent Serein") {
			list = append(list, emblem("du "+noun+" "+colour))
		}
	}
	for _, noun := range strings.Fields(feminine) {
		for _, colour := range strings.Fields("Bleue Blanche Verte Dorée Argentée Pourpre Ardente Sereine") {
			list = append(list, emblem("de la "+noun+" "+colour))
		}
	}
	return list
}

func emblem(name string) word {
	return word{name, strings.ToUpper(fold(name)), slug(strings.TrimPrefix(strings.TrimPrefix(name, "du "), "de la "))}
}

const masculine = "Héron Cèdre Phare Moulin Tilleul Renne Galet Sentier Belvédère Chardon Merle Noisetier Ruisseau Castor Verger Lavoir Bouleau Cormoran Genêt Sorbier"

const feminine = "Colline Bruyère Fontaine Clairière Mésange Loutre Cascade Passerelle Châtaigne Garrigue Hirondelle Sittelle Bergère Rivière Falaise Tourelle Libellule Pervenche Lanterne Marelle"

const familyNames = `Abadie Albertini Allard Alvarez Amar Amiot Andrieu Arnoux Aubert Aubry Auger Bailly Barbier Baron Barre
Bastien Baudin Bazin Beaulieu Becker Bellanger Benard Benoît Berger Bernard Berthelot Besnard Bigot Blanchet Blondel Boivin Bonhomme
Bonnefoy Bouchet Boulanger Bourdon Bousquet Boutin Bouvier Boyer Breton Briand Brunel Buisson Cadet Caillaud Camus Carlier Caron
Carpentier Carré Castel Cazenave Chabert Champion Chapuis Charpentier Chatelain Chauvet Chevallier Clément Colas Collet Combe Cordier
Cornu Coste Coulon Courtois Couturier Crépin Dacosta Daniel Danjou Darmon David Debray Delacroix Delahaye Delattre Delcourt Delmas
Delorme Denis Deschamps Desmarais Devaux Diallo Diaz Didier Dos_Santos Drouet Dubois Ducasse Dufour Dumont Dupuis Durand Duval Escoffier
Esnault Étienne Evrard Fabre Faivre Favier Féraud Fernandez Ferrand Ferreira Fleury Fontaine Fortin Foucher Fournier Gaillard Gallet
Garcia Garnier Gasnier Gaudin Gauthier Gérard Germain Gilbert Girault Godard Gomez Gonthier Goujon Granger Grenier Grimaud Gros Guérin
Guichard Guillet Guyot Hamel Hamon Haddad Hardy Hébert Henriot Hervé Hoarau Huet Humbert Imbert Jacob Jacquet Jamet Joly Jourdan Jullien
Keller Klein Kowalski Labbé Lacombe Lacroix Lafont Lagarde Lambert Landry Langlois Laporte Laroche Lasserre Laurent Lavigne Le_Bihan
Le_Floch Le_Gall Le_Goff Lebrun Leclercq Lecomte Lefèvre Légier Lejeune Lelièvre Lemaître Lemoine Léonard Lepage Leroux Lesage Letellier
Levasseur Lévêque Lopez Louvet Lucas Maillard Mallet Marchand Maréchal Marion Martel Martin Martinez Marty Masson Mathieu Maurin Mercier
Meunier Michaud Millet Monnier Moreau Morel Morin Moulin Muller Nadal Navarro Neveu N’Guessan Nguyen Nicolas Normand Ollivier Pages Paquet
Parent Pascal Pasquier Payet Pelletier Pereira Perez Perrin Petit Peyron Philippe Picard Pichon Pineau Poirier Pons Poulain Prévost Prigent
Quentin Rabier Raynaud Regnier Rémy Renaud Ribeiro Richard Rivière Robin Rocher Rodriguez Roussel Royer Ruiz Sabatier Salmon Sanchez Sauvage
Schmitt Séguin Simon Tanguy Tessier Texier Thibault Thomas Tissier Toussaint Traoré Valentin Vallée Vasseur Verdier Vidal Vincent Voisin
Wagner Weber Yilmaz Zimmermann`

const womenNames = `Adèle Agathe Agnès Alexandra Alice Amandine Amélie Anaïs Anne Anne-Laure Aurélie Axelle Béatrice Bérénice Brigitte
Camille Carine Catherine Cécile Céline Chloé Claire Clémence Coralie Corinne Delphine Dominique Édith Éléonore Élise Élodie Émilie Estelle
Eugénie Fabienne Fatima Florence Françoise Gaëlle Geneviève Hélène Inès Isabelle Jeanne Joséphine Judith Julie Juliette Karine Laëtitia
Laura Léa Lucie Lydie Maëlle Magali Manon Margaux Marianne Marie Marie-Christine Marie-Hélène Marine Marion Mathilde Maud Mélanie Mireille
Nadège Nathalie Nicole Noémie Océane Odile Pascale Pauline Perrine Rachel Roxane Sabrina Salomé Sandrine Sarah Séverine Solène Sophie Suzanne
Sylvie Valérie Véronique Virginie Yasmine Zoé`

const menNames = `Adrien Alain Albin Alexandre Alexis Antoine Arnaud Arthur Augustin Aurélien Baptiste Bastien Benjamin Benoît Bernard
Bertrand Cédric Charles Christian Christophe Clément Damien David Denis Didier Édouard Émile Emmanuel Éric Étienne Fabien Fabrice Félix
Florent François Franck Frédéric Gabriel Gaël Gérard Gilles Grégoire Guillaume Guy Henri Hugo Hubert Ivan Jacques Jean Jean-Baptiste
Jean-Luc Jean-Marc Jérémie Jérôme Joël Julien Kévin Laurent Léo Loïc Louis Luc Lucas Marc Martin Mathieu Maxence Maxime Mehdi Michel Nicolas
Noël Olivier Pascal Patrice Paul Philippe Pierre Pierre-Yves Quentin Rémi Richard Robin Romain Samuel Sébastien Serge Simon Stéphane Sylvain
Théo Thibault Thierry Thomas Valentin Victor Vincent Xavier Yann Yves`

const streetNames = `DES_LILAS DES_TILLEULS DES_ACACIAS DES_PEUPLIERS DES_ROSIERS DES_CERISIERS DES_VIGNES DES_PRES DES_CHAMPS DES_JARDINS
DES_FONTAINES DES_REMPARTS DES_TANNEURS DES_LAVANDIERES DES_FORGERONS DES_MARAICHERS DU_MOULIN DU_LAVOIR DU_MARCHE DU_STADE DU_CHATEAU DU_PUITS
DU_PONT_NEUF DU_QUATRE_SEPTEMBRE DU_ONZE_NOVEMBRE DU_HUIT_MAI DU_VIEUX_PORT DU_BAC DU_COLOMBIER DE_LA_GARE DE_LA_MAIRIE DE_LA_POSTE DE_LA_PAIX
DE_LA_LIBERTE DE_LA_REPUBLIQUE DE_LA_FONTAINE DE_LA_PRAIRIE DE_LA_FORET DE_LA_PLAGE DE_LA_SOURCE DE_L'EGLISE DE_L'ECOLE DE_L'HOPITAL DE_L'INDUSTRIE
DE_L'EUROPE VICTOR_HUGO EMILE_ZOLA JULES_FERRY JEAN_JAURES PASTEUR GEORGE_SAND LOUISE_MICHEL MARIE_CURIE JULES_VERNE MOLIERE VOLTAIRE GAMBETTA
CARNOT BERLIOZ RAVEL MONTAIGNE LAMARTINE D'ALSACE DE_BRETAGNE DE_PROVENCE`
