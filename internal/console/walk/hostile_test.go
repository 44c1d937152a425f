package walk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

// evil are texts that somebody put into a field.
var evil = []string{
	`<script>window.hit = 1</script><img src=x onerror="window.hit = 1">`,
	`"><svg onload=window.hit=1><a href="javascript:window.hit=1">x</a>`,
	"👩🏽‍⚕️🏥👨‍👩‍👧‍👦🇫🇷" + strings.Repeat("🧑‍🚀", 60),
	"\u202eבית חולים مستشفى\u2066\u202e",
	strings.Repeat("<b>&amp;", 1280), // 10 kB
	"{{constructor.constructor('window.hit=1')()}} ${window.hit=1} \u0000\u0007 \\u003cscript>",
}

// hostileSet is a directory in which every text is evil.
func hostileSet() *fixtures.Set {
	set := &fixtures.Set{Table: fixtures.DefaultTable()}
	for i, bad := range evil {
		concept := []any{map[string]any{"coding": []any{map[string]any{"system": bad, "code": bad, "display": bad}}, "text": bad}}
		common := map[string]any{
			"meta": map[string]any{"versionId": "1", "lastUpdated": "2026-01-01T00:00:00Z", "source": bad, "profile": []string{bad}}, "language": bad,
			"identifier": []any{map[string]any{"system": bad, "value": bad, "type": concept[0]}}, "status": bad,
			"telecom": []any{map[string]any{"system": bad, "value": bad}},
			"address": []any{map[string]any{"line": []string{bad, bad}, "city": bad, "postalCode": bad, "country": bad}},
			"type":    concept, "category": concept, "code": concept, "specialty": concept, "manufacturer": bad, "modelNumber": bad,
			"deviceName": []any{map[string]any{"name": bad}}, "qualification": []any{map[string]any{"code": concept[0]}},
			"extension": []any{map[string]any{"url": bad, "valueString": bad}}, bad[:10]: bad,
			"organization": map[string]any{"reference": bad}, "practitioner": map[string]any{"reference": bad}, "owner": map[string]any{"reference": "javascript:window.hit=1"},
		}
		for _, typ := range set.Table.Types {
			r := map[string]any{"resourceType": typ.Type, "id": fmt.Sprintf("evil-%d", i)}
			for name, value := range common {
				r[name] = value
			}
			if r["name"] = any(bad); typ.Type == "Practitioner" {
				r["name"] = []any{map[string]any{"family": bad, "given": []string{bad}, "prefix": []string{bad}, "suffix": []string{bad}, "text": bad}}
			}
			text, _ := json.Marshal(r) // of strings, maps and lists
			set.Resources = append(set.Resources, fixtures.Resource{Type: typ.Type, ID: r["id"].(string), JSON: string(text)})
		}
	}
	return set
}

func TestHostileDirectory(t *testing.T) {
	browser := browser(t)
	base := serve(t, hostileSet(), mockserver.WithRate("0"))
	for _, s := range []size{phone, desktop} {
		t.Run(s.name, func(t *testing.T) {
			p := look(t, browser, base+"/#try", "fr", s, false)
			p.until(`document.querySelectorAll('#try option').length > 5`)
			for _, typ := range fixtures.DefaultTable().Types {
				p.choose("#try select", typ.Type)
				p.run(`document.getElementById('send').click()`)
				p.until(fmt.Sprintf(`[...document.querySelectorAll('#try .cards > li')].filter((e) => e.textContent.includes('%s/evil')).length === %d`, typ.Type, len(evil)))
				// Open what is folded, and show the ends of what is long.
				is[bool](p, `(async () => {
					for (let i = 0; i < 6; i++) {
						document.querySelectorAll('#answer details').forEach((d) => { d.open = true; });
						await new Promise((done) => setTimeout(done, 30));
					}
					document.querySelectorAll('#answer button.more').forEach((b) => b.click());
					return true;
				})()`)
				p.harmless()
			}
			p.shot("try")
			p.accessible()
			for _, bad := range evil {
				request, err := http.NewRequest("GET", base+"/fhir/v2/Device?name="+url.QueryEscape(bad[:min(len(bad), 900)]), nil)
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("ESANTE-API-KEY", "mock-key")
				request.Header.Set("User-Agent", strings.Map(func(r rune) rune {
					if r < ' ' || r > '~' {
						return -1
					}
					return r
				}, bad))
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
			}
			p.goTo("watch")
			p.until(`document.querySelectorAll('.call').length > 6`)
			is[bool](p, `(async () => {
				for (let i = 0; i < 10; i++) {
					document.querySelectorAll('.call')[i]?.click();
					await new Promise((done) => setTimeout(done, 30));
				}
				return true;
			})()`)
			p.harmless()
			p.shot("watch")
			p.accessible()

			p.goTo("report")
			p.drop(hostileReport(t))
			p.until(`document.querySelectorAll('.finding').length === ` + fmt.Sprint(len(evil)))
			is[bool](p, `(document.querySelectorAll('#report details').forEach((d) => { d.open = true; }), true)`)
			p.harmless()
			if links := is[int](p, `[...document.querySelectorAll('#report a')].filter((a) => !/^https?:$/.test(a.protocol)).length`); links > 0 {
				t.Errorf("%d links lead elsewhere than to the web", links)
			}
			p.shot("report")
			p.accessible()
		})
	}
}

// harmless: nothing of what was shown became markup, or ran.
func (p *tab) harmless() {
	p.Helper()
	if !is[bool](p, `window.hit === undefined && document.querySelectorAll('main :is(script, img, svg, iframe, b, [onerror], [onload], a[href^="javascript"])').length === 0`) {
		p.Error("a text of the directory became markup")
	}
}

func hostileReport(t *testing.T) string {
	t.Helper()
	var findings, results []any
	for _, bad := range evil {
		f := map[string]any{"check": bad, "class": "breaking", "reason": bad, "path": bad, "was": bad, "now": bad, "message": bad, "why": bad, "source": "javascript:window.hit=1//" + bad, "curl": bad}
		findings = append(findings, f)
		results = append(results, map[string]any{"id": bad, "title": bad, "level": bad, "outcome": bad, "detail": bad, "saw": bad, "exchanges": []any{map[string]any{"method": bad, "url": bad, "header": map[string]any{bad: []string{bad}}}}})
	}
	text, err := json.Marshal(map[string]any{"verdict": "drift", "reason": evil[0], "target": map[string]any{"url": evil[1]}, "tool": evil[3], "started": evil[2], "findings": findings, "results": results})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "report.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
