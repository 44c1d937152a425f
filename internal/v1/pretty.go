package v1

import "github.com/mockfhir/mockfhir/internal/fhir"

// appendPretty prints JSON as HAPI does for _pretty=true: each member on a
// line of its own, arrays along their line.
func appendPretty(dst []byte, n *fhir.Node, depth int) []byte {
	switch n.Kind() {
	case fhir.Object:
		dst = append(dst, '{')
		for i := range n.Members() {
			m := &n.Members()[i]
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = newLine(dst, depth+1)
			dst = fhir.AppendReadString(dst, m.Name)
			dst = append(dst, ": "...)
			dst = appendPretty(dst, &m.Value, depth+1)
		}
		if n.Len() > 0 {
			dst = newLine(dst, depth)
		}
		return append(dst, '}')
	case fhir.Array:
		dst = append(dst, '[')
		for i := range n.Items() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, ' ')
			dst = appendPretty(dst, &n.Items()[i].Value, depth)
		}
		return append(dst, " ]"...)
	}
	return fhir.AppendRead(dst, n)
}

func newLine(dst []byte, depth int) []byte {
	dst = append(dst, '\n')
	for range depth {
		dst = append(dst, "  "...)
	}
	return dst
}
