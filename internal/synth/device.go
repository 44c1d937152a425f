package synth

// A device is heavy equipment under authorisation.
type device struct {
	header
	arhgos       string
	status       string
	authorised   period
	manufacturer string
	serial       string
	kind         coding
	owner        string
}

// write prints the resource. An inactive one keeps its language and its ARHGOS
// number (ans-api.md §4.6).
func (v *device) write(w *writer) {
	w.begin("Device", &v.header, asx+"as-dp-device")
	w.text("language", "fr")
	inactive := v.status == "inactive"
	if !inactive {
		w.open("extension", "[")
		w.authorization(v.authorised, 0)
		w.close("]")
	}
	w.arhgos(v.arhgos)
	w.text("status", v.status)
	if !inactive {
		w.optional("manufacturer", v.manufacturer)
		w.optional("serialNumber", v.serial)
		w.concept("type", v.kind)
		w.reference("owner", "Organization", v.owner)
	}
	w.close("}")
}

// makers are ours: no company bears these names.
var makers = [...]string{"IMAGIX FICTIF", "TOMOVAL", "GAMMALUX", "RESONANCE DU LAC", "SCANORAMA", "POSITRONIQUE SA", "HYPERBARE ET FILS"}

// machines are the kinds of equipment with their share of the country's.
var machines = weigh(share[string]{"05602", 42}, share[string]{"06201", 36}, share[string]{"05702", 8}, share[string]{"05701", 2},
	share[string]{"05705", 2}, share[string]{"05706", 7}, share[string]{"06301", 1}, share[string]{"44901", 2})

func (d *Directory) device(i int) *device {
	s, n := newSource(d.seed, "Device", i), uint64(i)+Handmade
	v := &device{arhgos: Value(ARHGOS, n), status: "active"}
	v.id = Value(DeviceID, n)
	if s.permille(60) {
		v.status = "inactive"
		v.updated, v.version = removed(s)
		return v
	}
	if s.permille(10) {
		v.status = "unknown"
	}
	v.updated, v.version = lately(s)
	if s.percent(50) {
		v.trace = trace{system: "FINESS", authority: authorities.at(s.below(18)).code}
	}
	v.authorised.start = newest.day() - day(s.between(30, 2500))
	v.authorised.end = v.authorised.start + 7*365
	v.kind = heavyEquipment.of(machines.draw(s))
	if s.percent(85) {
		v.manufacturer, v.serial = makers[s.below(len(makers))], "SN-"+pad(n, 8)
	}
	where := hospital
	if s.percent(40) {
		where = imaging
	}
	if k := d.structureFor(s, where); k >= 0 {
		v.owner = d.organizationID(k)
	}
	return v
}
