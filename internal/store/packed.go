package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/pack"
)

// Pack reads a fixture set from a directory, resource by resource, and writes
// it as one packed file. The resources of a type must stand together: their
// text is written as it comes, then what was gathered to find it by, and the
// memory is free for the next type. Nothing is written when the set has a
// mistake.
func Pack(path string, dir fs.FS, progress io.Writer) error {
	w, err := pack.Create(path)
	if err != nil {
		return err
	}
	about, err := packInto(w, dir, progress)
	if err != nil {
		w.Abort()
		return err
	}
	return w.Close(about)
}

func packInto(w *pack.Writer, dir fs.FS, progress io.Writer) (*fixtures.Packed, error) {
	p := packer{w: w, counts: map[string]int{}}
	n := 0
	set, err := fixtures.Scan(dir, func(table *fixtures.Table, r fixtures.Resource, resource *fhir.Node) error {
		if n++; n%250_000 == 0 {
			fmt.Fprintf(progress, "%d resources read\n", n)
		}
		return p.add(table.Type(r.Type), resource)
	})
	if err == nil {
		err = p.finish()
	}
	if err != nil {
		return nil, err
	}
	about := &fixtures.Packed{Manifest: set.Manifest, Table: set.Table, Digest: set.Digest(), Scenarios: map[string]string{}}
	about.Manifest.SHA256 = nil // of files that are not in this one
	about.Manifest.Counts = p.counts
	for _, s := range set.Scenarios {
		about.Scenarios[s.File] = string(s.Format())
	}
	return about, nil
}

// packer writes one type after the other.
type packer struct {
	w       *pack.Writer
	typ     *fixtures.Type // that is being written
	builder *builder
	offset  uint64
	counts  map[string]int // of the types that are done
	err     error
}

func (p *packer) add(typ *fixtures.Type, resource *fhir.Node) error {
	if p.typ != typ {
		if err := p.finish(); err != nil {
			return err
		}
		if _, done := p.counts[typ.Type]; done {
			return fmt.Errorf("%s come in several places; sort the files so that those of one type stand together", typ.Type)
		}
		if err := p.begin(typ); err != nil {
			return err
		}
	}
	p.builder.add(resource)
	return p.err
}

func (p *packer) begin(typ *fixtures.Type) error {
	p.typ, p.builder, p.offset = typ, newBuilder(typ, Options{}.complete(), func(*fhir.Node) {}), 0
	p.builder.text = func(printed []byte) {
		n, err := p.w.Write(printed)
		p.offset += uint64(n)
		p.err = errors.Join(p.err, err)
		p.builder.seg.texts.ends = append(p.builder.seg.texts.ends, p.offset)
	}
	return p.w.Begin(typ.Type + "/text")
}

// finish writes what was gathered of the type before.
func (p *packer) finish() error {
	if p.typ == nil {
		return p.err
	}
	seg := p.builder.finish()
	p.builder, p.counts[p.typ.Type] = nil, int(seg.size)
	for _, s := range seg.sections(p.typ) {
		p.err = errors.Join(p.err, p.w.Section(s.name, s.data))
	}
	p.typ = nil
	return p.err
}

// packedSection is a part of a segment in a packed file.
type packedSection struct {
	name string
	data []byte
}

func (s *segment) sections(typ *fixtures.Type) []packedSection {
	list := []packedSection{
		{typ.Type + "/ends", pack.Bytes(s.texts.ends)},
		{typ.Type + "/names", s.names.bytes},
		{typ.Type + "/names.ends", pack.Bytes(s.names.ends)},
		{typ.Type + "/by-name", pack.Bytes(s.byName)},
	}
	for i, ix := range s.indexes {
		name := typ.Type + "/" + typ.Params[i].Name
		list = append(list,
			packedSection{name + ".terms", ix.terms.bytes},
			packedSection{name + ".terms.ends", pack.Bytes(ix.terms.ends)},
			packedSection{name + ".ends", pack.Bytes(ix.ends)},
			packedSection{name + ".docs", pack.Bytes(ix.docs)},
			packedSection{name + ".stamps", pack.Bytes(ix.stamps)},
			packedSection{name + ".targets", pack.Bytes(ix.targets)},
			packedSection{name + ".heads", pack.Bytes(ix.heads)},
		)
	}
	return list
}

// openSegment reads the sections of a type. Each is verified before it is used
// for the first time.
func openSegment(file *pack.File, typ *fixtures.Type, rewrite func([]byte) []byte) *segment {
	get := func(name string) []byte {
		file.CheckAll(typ.Type + "/" + name)
		return file.Section(typ.Type + "/" + name)
	}
	s := &segment{
		texts:   list{pack.Cast[uint64](get("ends")), file.Section(typ.Type + "/text")},
		names:   list{pack.Cast[uint64](get("names.ends")), get("names")},
		byName:  pack.Cast[uint32](get("by-name")),
		check:   func(from, to uint64) { file.Check(typ.Type+"/text", from, to) },
		ahead:   func(from, to uint64) { file.Ahead(typ.Type+"/text", from, to) },
		rewrite: rewrite,
	}
	s.size = uint32(len(s.byName))
	for i := range typ.Params {
		ix, name := &index{}, typ.Params[i].Name
		ix.ready = sync.OnceFunc(func() {
			ix.terms = list{pack.Cast[uint64](get(name + ".terms.ends")), get(name + ".terms")}
			ix.ends = pack.Cast[uint32](get(name + ".ends"))
			ix.docs = pack.Cast[uint32](get(name + ".docs"))
			ix.stamps = pack.Cast[stamp](get(name + ".stamps"))
			ix.targets = pack.Cast[uint32](get(name + ".targets"))
			ix.heads = pack.Cast[uint32](get(name + ".heads"))
		})
		s.indexes = append(s.indexes, ix)
	}
	return s
}
