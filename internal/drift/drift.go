// Package drift makes a service drift on purpose. A mutation is written in the
// small language of the corpus column `how` ("on active=true: json set
// /entry/0/resource/active=false"); Parse compiles it and a Layer applies it to
// the traffic of any http.Handler. The tests of package contract need it: they
// say which mutations the suite and the comparison must notice, and which they
// must not.
//
// The language:
//
//	how       = clause *( ";" clause )
//	clause    = [ scope ":" ] action            scope holds for the clauses after it
//	scope     = "on" condition | "without" NAME | "series"
//	condition = "empty result" | "last page" | "missing key" | "overflow" | "bad parameter"
//	          | [METHOD] PATH ["after" DURATION] | NAME["=" [VALUE]] | HEADER ": " VALUE | …
//	action    = "status" FROM "->" TO | "body=" BODY | "hdr" OP … | "json" OP PATH …
//	          | "delay" DURATION | "answer" … | "drop" … | …
//
// Words in parentheses are notes; in a description they may state a scope, as
// "(default total only)" does. What is not understood is an error: a mutation
// that silently does nothing would count as caught or as harmless for nothing.
package drift

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Case is one line of a corpus of mutations.
type Case struct {
	ID          string
	Class       string // breaking, additive, benign or inconclusive
	Layer       string // http, headers, bundle, resource, search, paging, capability, auth, ratelimit, performance
	Description string
	How         string
	Needs       string // single, multi or series: how often a verifier must look
	Evidence    string
}

// ReadCases reads a corpus: tab-separated, with a header line and # comments.
func ReadCases(r io.Reader) ([]Case, error) {
	var cases []Case
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimRight(lines.Text(), "\r\n")
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "id\t") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) < 6 {
			return nil, fmt.Errorf("line %d: %d fields, want id, class, layer, description, how, needs and perhaps evidence", n, len(f))
		}
		c := Case{ID: f[0], Class: f[1], Layer: f[2], Description: f[3], How: f[4], Needs: f[5]}
		if len(f) > 6 {
			c.Evidence = f[6]
		}
		cases = append(cases, c)
	}
	return cases, lines.Err()
}
