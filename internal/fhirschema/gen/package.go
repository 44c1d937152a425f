package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	hl7Base = "http://hl7.org/fhir/StructureDefinition/"
	ansBase = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/"
)

// definitions are the resources of an npm package of FHIR, by canonical URL.
type definitions map[string]*definition

// definition is what the table needs of a StructureDefinition, ValueSet or
// CodeSystem.
type definition struct {
	ResourceType string
	URL          string
	Kind         string
	Type         string
	Abstract     bool
	Base         string `json:"baseDefinition"`
	Snapshot     struct{ Element []element }
	Compose      struct{ Include []include }
	Concept      []concept
}

type element struct {
	ID, Path string
	Min      int
	Max      string
	Base     struct {
		Path string
		Min  int
		Max  string
	}
	Representation   []string
	ContentReference string
	IsSummary        bool
	Type             []elementType
	Binding          struct{ Strength, ValueSet string }
}

type elementType struct {
	Code      string
	Extension []struct {
		URL, ValueURL, ValueString string
	}
	TargetProfile []string
}

// extension returns a value of HL7's extensions on types: "fhir-type" behind
// "structuredefinition-", or "regex".
func (t elementType) extension(name string) string {
	for _, x := range t.Extension {
		if x.URL == hl7Base+name {
			return x.ValueURL + x.ValueString
		}
	}
	return ""
}

type include struct {
	System  string
	Concept []concept
	Filter  []json.RawMessage
}

type concept struct {
	Code    string
	Concept []concept
}

func (d definitions) read(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for archive := tar.NewReader(zip); ; {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		name := strings.TrimPrefix(head.Name, "package/")
		if strings.Contains(name, "/") || !strings.HasSuffix(name, ".json") {
			continue // examples and other forms
		}
		var def definition
		if err := json.NewDecoder(archive).Decode(&def); err != nil {
			return fmt.Errorf("%s: %s: %w", file, head.Name, err)
		}
		switch def.ResourceType {
		case "StructureDefinition", "ValueSet", "CodeSystem":
			d[def.URL] = &def
		}
	}
}
