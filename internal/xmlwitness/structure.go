package xmlwitness

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"unicode"
)

// Structure is R4 as HL7 defines it.
type Structure map[string][]element // of a snapshot, by the name of the type

// element is what a structure definition says of one element.
type element struct {
	Path             string
	Min              int
	Max              string
	ContentReference string
	Type             []struct{ Code string }
}

// ReadStructure reads the structure definitions of an npm package of FHIR.
func ReadStructure(file string) (Structure, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	zipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	s := Structure{}
	for files := tar.NewReader(zipped); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(path.Base(header.Name), "StructureDefinition-") {
			continue
		}
		var definition struct {
			Name, Derivation string
			Type             string
			Snapshot         struct{ Element []element }
		}
		if err := json.NewDecoder(files).Decode(&definition); err != nil {
			return nil, fmt.Errorf("%s: %w", header.Name, err)
		}
		if definition.Derivation != "constraint" {
			s[definition.Type] = definition.Snapshot.Element
		}
	}
}

// Check lists where a resource departs from its definition: the order, the
// number and the names of elements, whatever their values.
func (s Structure) Check(resource *Element) []error {
	return s.check(resource, resource.Name, resource.Name)
}

// check holds an element against what a type says of the path at.
func (s Structure) check(e *Element, typ, at string) (problems []error) {
	var fields []element
	for _, f := range s[typ] {
		rest, below := strings.CutPrefix(f.Path, at+".")
		if below && !strings.Contains(rest, ".") {
			fields = append(fields, f)
		}
	}
	if s[typ] == nil {
		return []error{fmt.Errorf("%s: no definition of %s", e.Name, typ)}
	}
	next, counts := 0, map[int]int{}
	for _, child := range e.Children {
		i, code := find(fields, child.Name)
		if i < 0 {
			problems = append(problems, fmt.Errorf("%s has no element %s", at, child.Name))
			continue
		}
		if i < next {
			problems = append(problems, fmt.Errorf("%s.%s comes too late", at, child.Name))
		}
		next = max(next, i)
		counts[i]++
		problems = append(problems, s.descend(child, fields[i], typ, code)...)
	}
	for i, f := range fields {
		name := path.Ext(f.Path)[1:]
		n := counts[i]
		if _, attribute := e.Attr[name]; attribute {
			n++
		}
		most, err := strconv.Atoi(f.Max)
		if n < f.Min || err == nil && n > most {
			problems = append(problems, fmt.Errorf("%s: %d times, want %d..%s", f.Path, n, f.Min, f.Max))
		}
	}
	return problems
}

// descend checks a child by the definition of its type.
func (s Structure) descend(child *Element, f element, typ, code string) []error {
	switch {
	case f.ContentReference != "":
		return s.check(child, typ, strings.TrimPrefix(f.ContentReference, "#"))
	case code == "BackboneElement" || code == "Element":
		return s.check(child, typ, f.Path)
	case code == "Resource":
		if len(child.Children) != 1 || len(child.Attr) > 0 {
			return []error{fmt.Errorf("%s holds no single resource", f.Path)}
		}
		return s.Check(child.Children[0])
	case code == "xhtml":
		if child.Text == "" {
			return []error{fmt.Errorf("%s is no narrative", f.Path)}
		}
		return nil
	case unicode.IsLower(rune(code[0])): // a primitive: a value, extensions or both
		var problems []error
		if child.Attr["url"] != "" {
			problems = append(problems, fmt.Errorf("%s has a url", f.Path))
		}
		for _, c := range child.Children {
			if c.Name != "extension" {
				problems = append(problems, fmt.Errorf("%s has an element %s", f.Path, c.Name))
				continue
			}
			problems = append(problems, s.check(c, "Extension", "Extension")...)
		}
		return problems
	}
	if child.Attr["value"] != "" {
		return []error{fmt.Errorf("%s, a %s, has a value", f.Path, code)}
	}
	return s.check(child, code, code)
}

// find returns the field of that name, and the type it has then.
func find(fields []element, name string) (int, string) {
	for i, f := range fields {
		own := path.Ext(f.Path)[1:]
		if own == name {
			if len(f.Type) == 0 {
				return i, ""
			}
			return i, f.Type[0].Code
		}
		stem, choice := strings.CutSuffix(own, "[x]")
		kind, begins := strings.CutPrefix(name, stem)
		if !choice || !begins {
			continue
		}
		for _, t := range f.Type {
			if strings.EqualFold(t.Code[:1], kind[:min(1, len(kind))]) && t.Code[1:] == kind[min(1, len(kind)):] {
				return i, t.Code
			}
		}
	}
	return -1, ""
}
