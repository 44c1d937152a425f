package walk

import (
	"fmt"
	"go/parser"
	"go/token"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

// TestStories walks through each story, in both languages, on a phone and at a
// desk, by the keyboard.
func TestStories(t *testing.T) {
	browser := browser(t)
	for _, c := range []struct {
		language string
		size     size
		dark     bool
	}{{"en-GB,en", desktop, false}, {"fr-FR,fr", phone, false}, {"fr-FR,fr", desktop, true}, {"en-US,en", phone, true}} {
		t.Run(fmt.Sprintf("%s/%s", c.language[:2], c.size.name), func(t *testing.T) {
			base := serve(t, fixtures.Default())
			p := look(t, browser, base+"/", c.language, c.size, c.dark)
			p.until(`document.querySelector('main form')`)
			if lang := is[string](p, `document.documentElement.lang`); lang != c.language[:2] {
				t.Errorf("the page speaks %s", lang)
			}
			words := map[string]string{"en": "Get a key", "fr": "Obtenir une clé"}
			if title := is[string](p, `document.querySelector('main section:not([hidden]) h2').textContent`); title != words[c.language[:2]] {
				t.Errorf("the first story is called %q", title)
			}
			p.getAKey()
			p.try()
			p.watch()
			p.breakThings()
			p.readReport()
			if url := is[string](p, `location.href`); strings.Contains(url, "key=") || strings.Contains(url, "?") {
				t.Errorf("the address tells something: %s", url)
			}
		})
	}
}

func (p *tab) getAKey() {
	p.accessible()
	p.tabTo("#key li:nth-child(1) button")
	p.press(kb.Enter)
	p.until(`document.activeElement.closest('li:nth-child(2)')`) // the next step has the focus
	p.press(kb.Enter)
	p.until(`document.activeElement.matches('li:nth-child(3) select') && document.activeElement.options.length > 1`)
	p.shot("key-plan")
	p.tabTo("#key li:nth-child(3) button")
	p.press(kb.Enter)
	p.until(`/^200/.test(document.querySelector('#key [aria-live]').textContent)`)
	key := is[string](p, `document.getElementById('the-key').textContent`)
	act := func(name, want string) {
		p.Helper()
		p.run(`document.querySelector('[data-act=` + name + `]').focus()`)
		p.press(kb.Enter)
		p.until(`document.querySelector('#key [aria-live]').textContent.startsWith('` + want + `')`)
	}
	act("pause", "401")
	p.shot("key-paused")
	act("resume", "200")
	act("renew", "200")
	p.until(`document.getElementById('the-key').textContent !== '` + key + `' && document.querySelectorAll('#key [aria-live] p').length === 2`)
	p.shot("key")
	p.accessible()
	p.run(`document.getElementById('use-key').focus()`)
	p.press(kb.Enter)
	p.until(`document.querySelector('#try #status')?.textContent.startsWith('200')`)
	act2 := `fetch('/__mockfhir/keys').then((r) => r.json()).then((k) => k.subscriptions.some((s) => s.keys.length === 2 && s.keys.some((x) => x === 'accepted')))`
	if !is[bool](p, act2) {
		p.Error("the mock knows of no renewed key")
	}
}

func (p *tab) try() {
	p.until(`document.querySelectorAll('#try .cards > li').length === 2`)
	p.shot("try-first")
	p.accessible()
	p.run(`document.getElementById('add').click()`)
	p.speaks("try", map[string][]string{
		"en": {"Any part of the name in practice; modifiers contains, exact (string)", "401, the key is revoked"},
		"fr": {"Toute partie du nom d’exercice ; modificateurs contains, exact (string)", "401, la clé est révoquée"},
	})
	// A search made of the form: name:contains, _count, an include.
	p.choose("#try select", "PractitionerRole")
	p.tabTo("#add")
	for _, param := range [][2]string{{"active", "true"}, {"_count", "3"}, {"_include", "PractitionerRole:organization"}} {
		p.run(`document.getElementById('add').focus()`)
		p.press(kb.Enter)
		p.until(`document.activeElement.matches('.param:last-child select')`)
		p.choose("#try .param:last-child select", param[0])
		p.choose("#try .param:last-child input", param[1])
	}
	p.shot("try-form")
	p.accessible()
	target := is[string](p, `document.querySelector('#try input.mono').value`)
	if target != "PractitionerRole?active=true&_count=3&_include=PractitionerRole:organization" {
		p.Errorf("the form asks for %s", target)
	}
	p.run(`document.getElementById('send').focus()`)
	p.press(kb.Enter)
	p.until(`document.querySelectorAll('#try .cards > li').length > 3`)
	for _, language := range []string{"curl", "java", "csharp", "python", "javascript", "go"} {
		p.until(`document.querySelector('#try option[value=` + language + `]')`)
		p.choose("#try details select", language)
		code := is[string](p, `document.getElementById('snippet').textContent`)
		if !strings.Contains(code, "ESANTE-API-KEY") || !strings.Contains(code, "PractitionerRole?active=true") {
			p.Errorf("in %s the request is\n%s", language, code)
		}
		if language == "go" {
			if _, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc f() error {\n"+code+"\n}", 0); err != nil {
				p.Errorf("%v in\n%s", err, code)
			}
		}
	}
	if text := is[string](p, `document.querySelector('#try .tree').innerText`); !strings.Contains(text, "Bundle") {
		p.Errorf("the tree shows %.200s", text)
	}
	p.shot("try-answer")
	p.run(`document.getElementById('answer').scrollIntoView()`)
	p.shot("try-cards")
	p.accessible()
	// The next page, then a reference of it, then the way back.
	p.tabTo("[data-link=next]")
	p.press(kb.Enter)
	p.until(`document.querySelector('#try input.mono').value.startsWith('_page?id=') && document.querySelector('#status')?.textContent.startsWith('200')`)
	p.tabTo(".cards button.link")
	p.press(kb.Enter)
	p.until(`/^Practitioner\//.test(document.querySelector('#try input.mono').value) && document.querySelectorAll('#try .cards > li').length === 1 && document.querySelector('#status')?.textContent.startsWith('200')`)
	p.shot("try-card")
	// A key that is refused, and metadata.
	p.choose("#try input[list=known-keys]", "mock-revoked")
	p.press(kb.Enter)
	p.run(`document.getElementById('send').click()`)
	p.until(`document.querySelector('#status')?.textContent.startsWith('401')`)
	p.accessible()
	p.choose("#try input[list=known-keys]", "mock-key")
	p.choose("#try select", "metadata")
	p.run(`document.getElementById('send').click()`)
	p.until(`document.querySelector('#status')?.textContent.startsWith('200') && document.querySelector('.tree')?.innerText.includes('CapabilityStatement')`)
}

func (p *tab) watch() {
	p.goTo("watch")
	p.until(`document.querySelectorAll('.call').length >= 5 && document.getElementById('calls').dataset.live`)
	is[int](p, `fetch('/fhir/v2/Organization?_count=1&name:contains=CENTRE', { headers: { 'ESANTE-API-KEY': 'mock-key' } }).then((r) => r.status)`)
	p.until(`document.querySelector('.call[aria-posinset="1"]').textContent.includes('CENTRE')`) // live
	p.tabTo("#calls")
	p.press(kb.ArrowDown)
	p.until(`document.getElementById('why')?.textContent.length > 5`)
	p.shot("watch")
	p.accessible()
	p.choose("#watch select", "4")
	p.until(`[...document.querySelectorAll('.call')].every((r) => / ?4\d\d/.test(r.children[2].textContent)) && document.querySelectorAll('.call').length > 0`)
	p.choose("#watch select", "")
	p.choose("#watch input", "/fhir/v2/Organization")
	p.until(`document.querySelectorAll('.call').length === 1 || [...document.querySelectorAll('.call')].every((r) => r.textContent.includes('/Organization'))`)
	p.choose("#watch input", "")
}

func (p *tab) breakThings() {
	p.goTo("break")
	p.until(`document.querySelectorAll('.incident').length > 40`)
	p.speaks("break", map[string][]string{
		"en": {"Parsing the body of an error as JSON.", "its own: every call", "D05, issue #415", "A client that was only ever tried in good weather."},
		"fr": {"Lire le corps d’une erreur comme du JSON.", "la sienne : tous les appels", "D05, ticket #415", "Un client qui n’a jamais été essayé que par beau temps."},
	})
	p.choose("#break input[type=search]", "too-many-requests")
	p.until(`[...document.querySelectorAll('.incident')].filter((e) => !e.hidden).length === 1`)
	is[bool](p, `(document.querySelectorAll('.incident:not([hidden]) details').forEach((d) => { d.open = true; }), true)`)
	p.run(`document.querySelector('.incident:not([hidden])').scrollIntoView()`)
	p.shot("break-story")
	p.choose(".incident:not([hidden]) select", "share=1")
	p.tabTo(".incident:not([hidden]) [role=switch]")
	p.press(kb.Enter)
	p.until(`document.querySelector('.incident:not([hidden]) [role=switch]').getAttribute('aria-checked') === 'true'`)
	if status := is[int](p, `fetch('/fhir/v2/metadata', { headers: { 'ESANTE-API-KEY': 'mock-key' } }).then((r) => r.status)`); status != 429 {
		p.Errorf("with the incident on a call is answered with %d", status)
	}
	p.until(`/1/.test(document.querySelector('.incident:not([hidden]) .hint').textContent)`)
	p.shot("break-on")
	p.accessible()
	p.press(kb.Enter)
	p.until(`document.querySelector('.incident:not([hidden]) [role=switch]').getAttribute('aria-checked') === 'false'`)
	p.choose("#break input[type=search]", "")
	p.run(`document.getElementById('send-burst').focus()`)
	p.press(kb.Enter)
	p.until(`/3 × 429/.test(document.getElementById('burst').textContent) || /× 429/.test(document.getElementById('burst').textContent)`)
	p.until(`document.querySelector('#gauges meter')`)
	p.shot("break")
	p.accessible()
}

func (p *tab) readReport() {
	p.goTo("report")
	p.drop("../../../contract/report/testdata/against.json")
	p.until(`document.querySelector('#verdict') && document.querySelectorAll('.finding').length > 0`)
	for _, part := range []string{"Practitioner.meta.versionId", "Bundle.link[next].url: gateway.example → 10.0.66.99:8080", "99 | <new> & *odd*", "paging/next-followable"} {
		if text := is[string](p, `document.getElementById('report-out').textContent`); !strings.Contains(text, part) {
			p.Errorf("the report does not tell %s", part)
		}
	}
	p.shot("report")
	p.accessible()
	// By drag and drop as well.
	p.run(`const files = new DataTransfer();
		files.items.add(new File([JSON.stringify({ verdict: 'holds', reason: 'All of it.', results: [], findings: null })], 'r.json'));
		document.querySelector('#report .drop').dispatchEvent(new DragEvent('drop', { dataTransfer: files, bubbles: true, cancelable: true }))`)
	p.until(`document.querySelector('.verdict.holds') && document.querySelectorAll('.finding').length === 0`)
	p.drop("walk_test.go")
	p.until(`document.querySelector('#report-out [role=alert]')`)
}

// speaks sees that a story says texts in the language of the page, and in no
// other.
func (p *tab) speaks(story string, texts map[string][]string) {
	p.Helper()
	shown := strings.ReplaceAll(is[string](p, `document.getElementById('`+story+`').textContent`), "\u00a0", " ")
	spoken := is[string](p, `document.documentElement.lang`)
	for language, list := range texts {
		for _, text := range list {
			if strings.Contains(shown, text) != (language == spoken) {
				p.Errorf("the page speaks %s; that it says %q is %v", spoken, text, language != spoken)
			}
		}
	}
	if language := is[string](p, `document.querySelector('#`+story+` [lang=en]')?.textContent ?? ''`); language != "" {
		p.Errorf("a text of the story is marked as English: %s", language)
	}
}

func (p *tab) drop(file string) {
	p.Helper()
	path, err := filepath.Abs(file)
	if err != nil {
		p.Fatal(err)
	}
	p.do(chromedp.SetUploadFiles(chromedp.CSS("#report input[type=file]"), []string{path}))
}

// goTo chooses a story from the navigation, by keyboard, and sees that its
// heading has the focus then.
func (p *tab) goTo(story string) {
	p.Helper()
	p.run(`document.querySelector('nav a[href="#` + story + `"]').focus()`)
	p.press(kb.Enter)
	p.until(`document.activeElement.id === 'h-` + story + `' && !document.getElementById('` + story + `').hidden`)
}

// TestFateOfAKey: a plan on request waits for its acceptance, and a key that is
// revoked or has expired is refused.
func TestFateOfAKey(t *testing.T) {
	p := look(t, browser(t), serve(t, fixtures.Default())+"/#key", "fr", phone, false)
	p.until(`document.querySelector('#key form')`)
	for _, end := range []string{"revoke", "expire"} {
		p.run(`document.querySelector('#key li:nth-child(1) button').click()`)
		p.until(`document.activeElement.closest('li:nth-child(2)')`)
		p.run(`document.querySelector('#key li:nth-child(2) button').click()`)
		p.until(`document.activeElement.closest('li:nth-child(3)')`)
		p.run(`const plan = document.querySelector('#key li:nth-child(3) select');
			plan.selectedIndex = [...plan.options].findIndex((o) => o.text.includes('On request'));
			document.querySelector('#key li:nth-child(3) button').click()`)
		p.until(`document.querySelector('[data-act=accept]')`)
		p.run(`document.querySelector('[data-act=accept]').click()`)
		p.until(`document.getElementById('the-key') && /^200/.test(document.querySelector('#key [aria-live]').textContent)`)
		p.run(`document.querySelector('[data-act=` + end + `]').click()`)
		p.until(`/^401/.test(document.querySelector('#key [aria-live]').textContent)`)
		p.run(`document.querySelector('[data-act=renew]').click()`)
		p.until(`document.querySelectorAll('#key [aria-live] p').length === 2`)
		if text := is[string](p, `document.querySelector('#key [aria-live]').textContent`); !strings.Contains(text, "401 avec la clé précédente, qui est refusée") {
			t.Errorf("after %s, renew says: %s", end, text)
		}
	}
}

// TestAgain: a call of the journal is sent again to the version that it was of,
// and what it leads to is followed there.
func TestAgain(t *testing.T) {
	p := look(t, browser(t), serve(t, fixtures.Default())+"/#watch", "fr", desktop, false)
	p.until(`document.getElementById('calls')?.dataset.live`)
	for _, target := range []string{"/fhir/v1/Device?_count=1&_format=xml", "/fhir/Device?_count=1", "/fhir/v2/Device?_count=1&status=active"} {
		is[int](p, `fetch('`+target+`', { headers: { 'ESANTE-API-KEY': 'mock-key' } }).then((r) => r.status)`)
		newest := `document.querySelector('.call[aria-posinset="1"]')`
		p.until(newest + `?.textContent.includes('` + target + `')`)
		count := is[int](p, `document.querySelectorAll('.call').length`)
		p.run(newest + `.click()`)
		p.run(`[...document.querySelectorAll('#details button')].find((b) => b.textContent === 'L’essayer à nouveau').click()`)
		p.until(`document.querySelector('#try #status')?.textContent.startsWith('200')`)
		p.goTo("watch")
		p.until(fmt.Sprintf(`document.querySelectorAll('.call').length === %d`, count+1))
		if sent := is[string](p, newest+`.textContent`); !strings.Contains(sent, target) {
			t.Errorf("%s is sent again as %s", target, sent)
		}
		if code := is[string](p, `document.getElementById('snippet').textContent`); !strings.Contains(code, target) || strings.Contains(code, "..") {
			t.Errorf("%s is in code\n%s", target, code)
		}
	}
}

// TestTyped: what a person types is in the code as it is sent.
func TestTyped(t *testing.T) {
	p := look(t, browser(t), serve(t, fixtures.Default())+"/#try", "en", desktop, false)
	p.until(`document.getElementById('send') && document.querySelector('#try option[value=java]')`)
	for typed, want := range map[string]string{
		`Practitioner?name=Léa`:               `Practitioner?name=L%C3%A9a`,
		`Practitioner?name=van der "x"|y`:     `Practitioner?name=van%20der%20%22x%22%7Cy`,
		`/Practitioner?name=it's{1}#fragment`: `Practitioner?name=it%27s%7B1%7D`,
		`Practitioner?name=a%20b%zz,c`:        `Practitioner?name=a%20b%zz,c`,
	} {
		p.choose("#try input.mono", typed)
		for _, language := range []string{"curl", "java", "csharp", "python", "javascript", "go"} {
			p.choose("#try details select", language)
			code := is[string](p, `document.getElementById('snippet').textContent`)
			if !strings.Contains(code, want+`"`) && !strings.Contains(code, want+`'`) {
				t.Errorf("in %s %s is\n%s", language, typed, code)
			}
		}
		p.run(`document.getElementById('send').click()`)
		p.until(`document.querySelector('#status')`)
		sent := is[string](p, `fetch('/__mockfhir/sessions/default/journal').then((r) => r.json()).then((j) => j.at(-1).target)`)
		if sent != "/fhir/v2/"+want {
			t.Errorf("%s is sent as %s", typed, sent)
		}
	}
}

// TestToken: where control calls need a token the page asks for it, and keeps
// it out of every address.
func TestToken(t *testing.T) {
	var mu sync.Mutex
	var addresses []string
	base := serveBehind(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			addresses = append(addresses, r.RequestURI+" "+r.Referer())
			mu.Unlock()
			h.ServeHTTP(w, r)
		})
	}, fixtures.Default(), mockserver.WithControlToken("token-of-this-walk"))
	p := look(t, browser(t), base+"/#watch", "en", desktop, false)
	p.until(`document.querySelector('#token input')`)
	p.accessible()
	p.tabTo("#token input")
	p.do(chromedp.KeyEvent("token-of-this-walk"))
	p.press(kb.Enter)
	p.until(`document.getElementById('calls')?.dataset.live && document.getElementById('token').hidden`)
	p.goTo("key")
	p.until(`document.querySelector('#key form')`)
	p.tabTo("#key li:nth-child(1) button")
	p.press(kb.Enter)
	p.until(`document.querySelector('#key li:nth-child(1).done')`)
	mu.Lock()
	defer mu.Unlock()
	if all := strings.Join(addresses, "\n"); strings.Contains(all, "token-of") {
		t.Errorf("an address has the token:\n%s", all)
	}
}

// TestSession: a session of one's own has a journal of its own, and the choice
// of a language stays.
func TestSession(t *testing.T) {
	base := serve(t, fixtures.Default())
	p := look(t, browser(t), base+"/#try", "en", desktop, false)
	p.until(`document.querySelectorAll('#session option').length === 2 && document.getElementById('send')`)
	p.run(`document.getElementById('language').click()`)
	p.until(`document.documentElement?.lang === 'fr' && document.querySelectorAll('#session option').length === 2`)
	p.run(`const s = document.getElementById('session'); s.value = '+'; s.dispatchEvent(new Event('change'))`)
	p.until(`document.getElementById('session')?.value.startsWith('s-') && document.getElementById('send')`)
	p.run(`document.getElementById('send').click()`)
	p.until(`document.querySelector('#status')?.textContent.startsWith('200')`)
	if code := is[string](p, `document.getElementById('snippet').textContent`); !strings.Contains(code, "X-Mockfhir-Session: s-") {
		t.Errorf("the request does not name its session:\n%s", code)
	}
	p.goTo("watch")
	p.until(`document.querySelectorAll('.call').length === 1`)
	calls := `fetch('/__mockfhir/sessions/default').then((r) => r.json()).then((s) => s.calls)`
	if n := is[int](p, calls); n != 0 {
		t.Errorf("%d calls went to the default session", n)
	}
	if lang := is[string](p, `document.documentElement.lang`); lang != "fr" {
		t.Errorf("the page speaks %s again", lang)
	}
}

// TestReports: what the HTML report tells, the page tells as well.
func TestReports(t *testing.T) {
	const testdata = "../../../contract/report/testdata/"
	files, err := filepath.Glob(testdata + "*.json")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d reports: %v", len(files), err)
	}
	p := look(t, browser(t), serve(t, fixtures.Default())+"/#report", "en", desktop, false)
	for _, file := range files {
		if strings.HasSuffix(file, ".testreport.json") {
			continue
		}
		golden, err := os.ReadFile(strings.TrimSuffix(file, ".json") + ".html")
		if err != nil {
			t.Fatal(err)
		}
		p.until(`document.querySelector('#report input[type=file]')`)
		p.run(`document.getElementById('report-out').replaceChildren()`)
		p.drop(file)
		p.until(`document.querySelector('#verdict')`)
		shown := words(is[string](p, `document.getElementById('report-out').textContent`))
		told := 0
		for _, text := range texts(string(golden)) {
			if strings.HasPrefix(text, "Promised, ") { // the name of the other run is not in the JSON
				continue
			}
			if told++; !strings.Contains(shown, words(text)) {
				t.Errorf("%s: the page does not tell %q", filepath.Base(file), text)
			}
		}
		if told < 8 {
			t.Errorf("%s: only %d texts were looked for", file, told)
		}
		p.accessible()
	}
}

// texts are those between the tags of a body.
func texts(document string) (list []string) {
	_, body, _ := strings.Cut(document, "<body>")
	for _, text := range regexp.MustCompile(`<[^>]*>`).Split(body, -1) {
		if text = html.UnescapeString(text); words(text) != "" {
			list = append(list, text)
		}
	}
	return list
}

// words is a text without its spaces, which HTML does not keep, and without
// the difference between a heading and a label.
func words(text string) string { return strings.ToLower(strings.Join(strings.Fields(text), "")) }

// TestFirstPaintWaitsForNothing: with a mock that answers no control call yet,
// the page is there.
func TestFirstPaintWaitsForNothing(t *testing.T) {
	hold := make(chan struct{})
	base := serveBehind(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "journal") || strings.Contains(r.URL.Path, "sessions") {
				<-hold
			}
			h.ServeHTTP(w, r)
		})
	}, fixtures.Default())
	p := look(t, browser(t), base+"/#watch", "en", desktop, false)
	p.until(`performance.getEntriesByName('first-contentful-paint').length > 0 && document.getElementById('calls')`)
	close(hold)
	p.until(`document.getElementById('calls').dataset.live`)
}

// TestTenThousandCalls: the list draws what can be seen, and moves.
func TestTenThousandCalls(t *testing.T) {
	const calls, batch = 10_000, 500
	base := serve(t, fixtures.Default(), mockserver.WithRate("0"))
	p := look(t, browser(t), base+"/#watch", "en", desktop, false)
	p.until(`document.getElementById('calls')?.dataset.live`)
	began := time.Now()
	for n := 0; n < calls; n += batch {
		for i := range batch {
			request, err := http.NewRequest("GET", fmt.Sprintf("%s/fhir/v2/Device/none-%d", base, n+i), nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("ESANTE-API-KEY", "mock-key")
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
		}
		p.until(fmt.Sprintf(`document.getElementById('count').textContent.startsWith('%d of')`, n+batch))
	}
	t.Logf("%d calls were made and shown in %v", calls, time.Since(began).Round(time.Millisecond))
	frames := is[[]float64](p, `new Promise((done) => {
		const list = document.getElementById('calls'), times = [];
		let before = performance.now(), i = 0;
		const step = (now) => {
			if (i > 0) times.push(now - before);
			before = now;
			list.scrollTop = (i++ / 60) * list.scrollHeight;
			if (i > 60) done(times.sort((a, b) => a - b)); else requestAnimationFrame(step);
		};
		requestAnimationFrame(step);
	})`)
	rows := is[int](p, `document.querySelectorAll('.call').length`)
	t.Logf("%d rows are drawn; frames while scrolling: median %.0f ms, 90 %% below %.0f ms", rows, frames[len(frames)/2], frames[len(frames)*9/10])
	if rows == 0 || rows > 60 {
		t.Errorf("%d rows are drawn", rows)
	}
	if frames[len(frames)/2] > 50 {
		t.Errorf("half of the frames take more than %.0f ms", frames[len(frames)/2])
	}
	p.tabTo("#calls")
	p.press(kb.End)
	p.until(`document.querySelector('.call[aria-selected=true]')?.textContent.includes('none-0')`)
	p.press(kb.Home)
	p.until(`document.querySelector('.call[aria-selected=true]')?.textContent.includes('none-9999')`)
	p.accessible()
	p.shot("full")
}
