package xmlwitness

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

const (
	fhirNamespace  = "http://hl7.org/fhir"
	xhtmlNamespace = "http://www.w3.org/1999/xhtml"
)

// Element is one element of a document.
type Element struct {
	Name     string
	Attr     map[string]string
	Children []*Element
	Text     string // of a narrative: the div as it was written
}

// Parse reads a document. It refuses what the rules forbid: another
// namespace, an attribute that is none of id, url and value, text.
func Parse(doc []byte) (*Element, error) {
	p := parser{text: doc, decoder: xml.NewDecoder(strings.NewReader(string(doc)))}
	root, err := p.next()
	if err != nil {
		return nil, err
	}
	if root == nil {
		return nil, errors.New("no element")
	}
	if after, err := p.next(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("after the root: %v, %v", after, err)
	}
	return root, nil
}

type parser struct {
	text    []byte
	decoder *xml.Decoder
}

// next reads the next element, nil at the end tag of its parent.
func (p *parser) next() (*Element, error) {
	for {
		before := p.decoder.InputOffset()
		token, err := p.decoder.Token()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Space == xhtmlNamespace {
				return p.narrative(t, before)
			}
			return p.element(t)
		case xml.EndElement:
			return nil, nil
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				return nil, fmt.Errorf("text %q between elements", t)
			}
		case xml.Comment:
		default:
			return nil, fmt.Errorf("a %T has no place in FHIR", token)
		}
	}
}

func (p *parser) element(start xml.StartElement) (*Element, error) {
	e := &Element{Name: start.Name.Local, Attr: map[string]string{}}
	if start.Name.Space != fhirNamespace {
		return nil, fmt.Errorf("<%s> is in the namespace %q", e.Name, start.Name.Space)
	}
	for _, a := range start.Attr {
		switch {
		case a.Name.Local == "xmlns" && a.Name.Space == "":
		case a.Name.Space != "" || a.Name.Local != "id" && a.Name.Local != "url" && a.Name.Local != "value":
			return nil, fmt.Errorf("<%s> has an attribute %s", e.Name, a.Name.Local)
		case a.Value == "":
			return nil, fmt.Errorf("<%s> has an empty attribute %s", e.Name, a.Name.Local)
		default:
			e.Attr[a.Name.Local] = a.Value
		}
	}
	for {
		child, err := p.next()
		if err != nil {
			return nil, err
		}
		if child == nil {
			break
		}
		e.Children = append(e.Children, child)
	}
	if len(e.Attr) == 0 && len(e.Children) == 0 {
		return nil, fmt.Errorf("<%s> is empty", e.Name)
	}
	return e, nil
}

// narrative keeps a div as it stands.
func (p *parser) narrative(start xml.StartElement, from int64) (*Element, error) {
	if err := p.decoder.Skip(); err != nil {
		return nil, err
	}
	text := string(p.text[from:p.decoder.InputOffset()])
	return &Element{Name: start.Name.Local, Text: strings.TrimSpace(text)}, nil
}

// Values are what a document says: the text of each primitive by its path,
// "Practitioner.name[0].given[1]"; attributes are steps of their own.
type Values map[string]string

// Values lists what the element says. A resource inside another stands in
// place of the element that holds it.
func (e *Element) Values() Values {
	v := Values{}
	v["resourceType"] = e.Name
	e.list(e.Name, v)
	return v
}

func (e *Element) list(path string, v Values) {
	if e.Text != "" {
		v[path] = e.Text
		return
	}
	for name, value := range e.Attr {
		if name == "value" {
			v[path] = value
		} else {
			v[path+"."+name+"[0]"] = value
		}
	}
	seen := map[string]int{}
	for _, c := range e.Children {
		if unicode.IsUpper(rune(c.Name[0])) { // a resource in its container
			v[path+".resourceType"] = c.Name
			c.list(path, v)
			continue
		}
		at := path + "." + c.Name + "[" + strconv.Itoa(seen[c.Name]) + "]"
		seen[c.Name]++
		c.list(at, v)
	}
}

// FromJSON lists what a resource says in JSON, by the same paths.
func FromJSON(resource []byte) (Values, error) {
	decoder := json.NewDecoder(strings.NewReader(string(resource)))
	decoder.UseNumber()
	var tree map[string]any
	if err := decoder.Decode(&tree); err != nil {
		return nil, err
	}
	v := Values{}
	name, _ := tree["resourceType"].(string)
	v["resourceType"] = name
	delete(tree, "resourceType")
	listJSON(name, tree, v)
	return v, nil
}

func listJSON(path string, tree map[string]any, v Values) {
	for name, value := range tree {
		if name == "resourceType" {
			v[path+".resourceType"] = fmt.Sprint(value)
			continue
		}
		step := path + "." + strings.TrimPrefix(name, "_")
		items, isArray := value.([]any)
		if !isArray {
			items = []any{value}
		}
		for i, item := range items {
			at := step + "[" + strconv.Itoa(i) + "]"
			switch item := item.(type) {
			case nil:
			case map[string]any:
				listJSON(at, item, v)
			default:
				v[at] = fmt.Sprint(item)
			}
		}
	}
}
