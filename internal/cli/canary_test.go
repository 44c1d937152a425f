package cli

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/fhir"
	"github.com/mockfhir/mockfhir/internal/redact"
	"github.com/mockfhir/mockfhir/internal/synth"
	"github.com/mockfhir/mockfhir/mockserver"
)

const (
	canaryKey     = "qanari-key-7f3a91c2-5b1d-4e0a-9c55-d01e6a7b8c9d"
	canarySession = "qanari-session-5d41402abc4b2a76b9719d911017c592"
	canarySecret  = "qanari-secret-of-the-pseudonyms-1234567890"
	canaryWord    = "qanari" // begins every text that belongs to somebody
)

// aviary replaces every personal value of a directory by a canary of its own:
// texts begin with canaryWord, numbers are written as registers write them and
// are in no fictitious range.
type aviary struct {
	n       uint64
	ids     map[string]string // real-looking technical ids, by "Type/id"
	numbers map[string]bool   // digits of every number
}

func (a *aviary) next() uint64 { a.n++; return a.n }

func (a *aviary) word() string {
	var b strings.Builder
	b.WriteString(canaryWord)
	for x := a.next() + 26; x > 0; x /= 26 {
		b.WriteByte('a' + byte(x%26))
	}
	return b.String()
}

// number notes a number; only its digits count, which no pseudonym may have.
func (a *aviary) number(v string) string {
	if redact.IsFictitious(digitsOf(v)) {
		panic(v + " is written like a pseudonym")
	}
	a.numbers[digitsOf(v)] = true
	return v
}

func digitsOf(v string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, v)
}

func luhned(s string) string {
	for d := range 10 {
		if synth.Luhn(s + strconv.Itoa(d)) {
			return s + strconv.Itoa(d)
		}
	}
	panic("no check digit")
}

// identifier is a number a register could have written.
func (a *aviary) identifier(system, old string) string {
	n := a.next()
	rpps := luhned(fmt.Sprintf("10%08d", 20_000_000+n))
	siren := luhned(fmt.Sprintf("4%07d", 1_000_000+n))
	finess := luhned(fmt.Sprintf("75%06d", 100_000+n%900_000))
	switch {
	case strings.HasSuffix(system, "71.4.2.1"):
		return a.number("8" + rpps)
	case strings.HasSuffix(system, "71.4.2.2"):
		return a.number("1" + finess)
	case strings.Contains(system, "rpps.") && len(old) == 14:
		return a.number(rpps + "001")
	case strings.Contains(system, "rpps.") && len(old) == 10:
		return a.number(fmt.Sprintf("10%08d", 10_000_000+n))
	case strings.Contains(system, "rpps"):
		return a.number(rpps)
	case strings.Contains(system, "finess"):
		return a.number(finess)
	case strings.Contains(system, "sirene") && len(old) == 14:
		return a.number(luhned(siren + "0001"))
	case strings.Contains(system, "sirene"):
		return a.number(siren)
	}
	return a.number(fmt.Sprintf("32-93-%06d", n%1_000_000))
}

// id is the technical id that stands for another.
func (a *aviary) id(reference string) string {
	typ, old, _ := strings.Cut(reference, "/")
	if a.ids[reference] == "" {
		n := a.next()
		prefix := map[string]string{"Practitioner": "003-", "PractitionerRole": "005-", "HealthcareService": "004-", "Device": "002-", "Organization": "001-01-"}[typ]
		switch typ {
		case "Practitioner", "PractitionerRole":
			a.ids[reference] = fmt.Sprintf("%s%d-%d", prefix, 1_000_000+n, 7_000_000+n%999_999)
		case "HealthcareService":
			a.ids[reference] = fmt.Sprintf("%s%d-%02d", prefix, 1_000_000+n, n%97)
		default:
			if strings.HasPrefix(old, "001-02-") {
				prefix = "001-02-"
			}
			a.ids[reference] = fmt.Sprintf("%s%d", prefix, 1_000_000+n)
		}
		a.number(a.ids[reference])
	}
	return a.ids[reference]
}

// fill replaces the values of a resource.
func (a *aviary) fill(n *fhir.Node, path []string, system string) {
	if n.Kind() == fhir.Object {
		if s := n.Get("system").Str(); s != "" {
			system = s
		}
		if url := n.Get("url").Str(); url != "" {
			path = append(path[:len(path):len(path)], url)
		}
		members := n.Members()
		for i := range members {
			a.fill(&members[i].Value, append(path[:len(path):len(path)], members[i].Name), system)
		}
		return
	}
	if n.Kind() == fhir.Array {
		items := n.Items()
		for i := range items {
			a.fill(&items[i].Value, path, system)
		}
		return
	}
	if n.Kind() != fhir.String {
		return
	}
	where := strings.Join(path, ".")
	at := func(suffix string) bool { return strings.HasSuffix("."+where, "."+suffix) }
	set := func(v string) { n.Replace(strconv.Quote(v)) }
	switch {
	case where == "id":
		// set by the caller, who knows the type
	case at("reference"):
		typ, _, _ := strings.Cut(n.Str(), "/")
		set(typ + "/" + a.id(n.Str()))
	case at("identifier.value"):
		set(a.identifier(system, n.Str()))
	case at("telecom.value") && system == "email":
		set(a.word() + "@medecin.mssante.fr")
	case at("telecom.value"):
		set(a.number(fmt.Sprintf("01%08d", 44_000_000+a.next()%9_000_000)))
	case at("number.valueString"):
		set(a.number(fmt.Sprintf("3%09d", 100_000_000+a.next())))
	case at("family"), at("given"), at("name.text"), where == "name", at("line"), at("city"), at("manufacturer"), at("serialNumber"),
		at("streetNameBase.valueString"), strings.HasSuffix(where, "ADXP-streetNameBase.valueString"), strings.HasSuffix(where, "ADXP-postBox.valueString"),
		at("description.valueString"), at("service.valueString"), strings.HasSuffix(where, "pharmacy-licence.valueString"):
		set(a.word())
	}
}

// canaries is a directory without a value that is not one.
func canaries(t testing.TB, seed uint64, size synth.Size) (*fixtures.Set, *aviary) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "resources"), 0o755); err != nil {
		t.Fatal(err)
	}
	a := &aviary{ids: map[string]string{}, numbers: map[string]bool{}}
	files := map[string]*bytes.Buffer{}
	err := synth.Generate(synth.Options{Seed: seed, Size: size}, func(typ string) (io.WriteCloser, error) {
		files[typ] = new(bytes.Buffer)
		return buffer{files[typ]}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range synth.Types {
		var out []byte
		for line := range strings.Lines(files[typ].String()) {
			node, err := fhir.ParseString(strings.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			a.fill(node, nil, "")
			node.Get("id").Replace(strconv.Quote(a.id(typ + "/" + node.Get("id").Str())))
			out = append(fhir.AppendRead(out, node), '\n')
		}
		if err := os.WriteFile(filepath.Join(dir, "resources", typ+".ndjson"), out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	set, err := fixtures.Load(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	return set, a
}

type buffer struct{ *bytes.Buffer }

func (buffer) Close() error { return nil }

// singing is a service that says too much: key and session in headers, in
// errors and in members nobody knows, in every encoding, with texts about
// people between them.
func singing(next http.Handler) http.Handler {
	secret := regexp.MustCompile(`("resourceType": ?"(?:Bundle|Practitioner)",)`)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner := httptest.NewRecorder()
		next.ServeHTTP(inner, r)
		body := inner.Body.String()
		song := songs(canaryKey, canarySession)
		body = secret.ReplaceAllString(body, `$1"debug":`+strconv.Quote(song)+`,"`+canaryWord+`Member":1,"note":[{"text":"`+canaryWord+`note"}],`+
			`"text":{"status":"generated","div":"<div>`+canaryWord+`div</div>"},"photo":[{"title":"`+canaryWord+`photo","data":"`+base64.StdEncoding.EncodeToString([]byte(canaryWord+"picture"))+`"}],"birthDate":"1970-01-01",`)
		if inner.Code >= 400 {
			body = strings.ReplaceAll(body, `"diagnostics":"`, `"diagnostics":"`+canaryKey+` asked by `+canaryWord+`person `+base64.StdEncoding.EncodeToString([]byte(canaryKey))+` 0144556677: `)
		}
		h := w.Header()
		for name, values := range inner.Header() {
			h[name] = values
		}
		h.Del("Content-Length")
		h.Add("Set-Cookie", "SESSION="+canarySession+"; Path=/")
		h.Set("X-Debug", canaryKey)
		h.Set("Vary", canaryKey)
		w.WriteHeader(inner.Code)
		_, _ = io.WriteString(w, body)
	})
}

// songs are secrets in every encoding.
func songs(secrets ...string) string {
	var b strings.Builder
	for _, s := range secrets {
		for _, form := range []string{
			s, strings.ToUpper(s), url.QueryEscape(s), base64.StdEncoding.EncodeToString([]byte(s)), base64.URLEncoding.EncodeToString([]byte("x" + s)),
			hex.EncodeToString([]byte(s)), gzipped(s),
		} {
			b.WriteString(form + " ")
		}
	}
	return b.String()
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

var (
	base64Token = regexp.MustCompile(`[A-Za-z0-9+/_=-]{16,}`)
	hexToken    = regexp.MustCompile(`[0-9A-Fa-f]{16,}`)
	numberToken = regexp.MustCompile(`[0-9][0-9 .-]{5,}[0-9]`)
	escapeToken = regexp.MustCompile(`(\\u[0-9a-fA-F]{4})+`)
)

// heard lists what of the canaries is in a text, in any encoding.
func (a *aviary) heard(text string) (found []string) {
	for _, view := range views(text, 2) {
		folded := strings.ToLower(view)
		if strings.Contains(folded, canaryWord) {
			at := strings.Index(folded, canaryWord)
			found = append(found, folded[max(0, at-20):min(len(folded), at+40)])
		}
		for _, run := range numberToken.FindAllString(view, -1) {
			for _, number := range append(strings.FieldsFunc(run, func(c rune) bool { return c == ' ' || c == '.' || c == '-' }), digitsOf(run)) {
				if a.numbers[number] && len(number) > 6 {
					found = append(found, number)
				}
			}
		}
	}
	return found
}

// views are a text and what is encoded in it.
func views(text string, depth int) []string {
	all := []string{text}
	if depth == 0 {
		return all
	}
	add := func(view string) {
		if view != "" && view != text {
			all = append(all, views(view, depth-1)...)
		}
	}
	if strings.Contains(text, "%") {
		plain, _ := url.PathUnescape(regexp.MustCompile(`%([^0-9A-Fa-f]|$)`).ReplaceAllString(text, "$1"))
		add(plain)
	}
	if strings.Contains(text, `\u`) {
		add(escapeToken.ReplaceAllStringFunc(text, func(s string) string {
			var units []uint16
			for _, u := range strings.Split(s, `\u`)[1:] {
				n, _ := strconv.ParseUint(u, 16, 16)
				units = append(units, uint16(n))
			}
			return string(utf16.Decode(units))
		}))
	}
	if strings.ContainsRune(text, 0) {
		add(strings.ReplaceAll(text, "\x00", ""))
	}
	if r, err := gzip.NewReader(strings.NewReader(text)); err == nil {
		plain, _ := io.ReadAll(r)
		add(string(plain))
	}
	var decoded strings.Builder
	for _, token := range base64Token.FindAllString(text, -1) {
		token = strings.NewReplacer("-", "+", "_", "/", "=", "").Replace(token)
		for skip := range min(4, len(token)) {
			rest := token[skip:]
			if plain, err := base64.RawStdEncoding.DecodeString(rest[:len(rest)/4*4]); err == nil {
				if r, err := gzip.NewReader(bytes.NewReader(plain)); err == nil {
					plain, _ = io.ReadAll(r)
				}
				decoded.Write(plain)
				decoded.WriteByte('\n')
			}
		}
	}
	for _, token := range hexToken.FindAllString(text, -1) {
		if plain, err := hex.DecodeString(token[:len(token)/2*2]); err == nil {
			decoded.Write(plain)
			decoded.WriteByte('\n')
		}
	}
	if all := decoded.String(); strings.Contains(strings.ToLower(all), canaryWord) {
		add(all)
	}
	return all
}

// The canary test proves nothing when it cannot hear.
func TestCanariesAreHeardInEveryEncoding(t *testing.T) {
	t.Parallel()
	a := &aviary{numbers: map[string]bool{"0144556677": true, "10102727017": true}}
	units := utf16.Encode([]rune("qanari"))
	wide := ""
	for _, u := range units {
		wide += string([]byte{byte(u), byte(u >> 8)})
	}
	for _, text := range []string{
		"QANARIabc", "%71anari", `\u0071anari`, base64.StdEncoding.EncodeToString([]byte("a qanari sings")), base64.URLEncoding.EncodeToString([]byte("xy qanari sings")),
		hex.EncodeToString([]byte("one qanari")), wide, gzipped("qanari and more"), "01 44 55 66 77", "RPPS 10102727017.",
	} {
		if len(a.heard(text)) == 0 {
			t.Errorf("%q is not heard", text)
		}
	}
	if got := a.heard("nothing to hear, 0199000000, aGVsbG8gd29ybGQgaGVsbG8="); len(got) > 0 {
		t.Errorf("heard %q", got)
	}
}

// TestNoCanaryReachesTheDisk records a directory of canaries, with a canary
// for a key, by the plan and as a proxy: no file and no output holds any.
func TestNoCanaryReachesTheDisk(t *testing.T) {
	t.Parallel()
	seeds, size := 1, synth.DefaultSize
	if heavy := os.Getenv("MOCKFHIR_HEAVY"); heavy != "" {
		n, err := strconv.Atoi(heavy)
		if err != nil {
			t.Fatalf("MOCKFHIR_HEAVY is %q; write a number of directories", heavy)
		}
		seeds, size = n, synth.Scaled(10_000*1480/300) // ten thousand people
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			set, a := canaries(t, uint64(seed+1), size)
			for _, r := range set.Resources {
				if strings.Contains(r.JSON, "SN-0") || strings.Contains(r.JSON, `"190000`) || strings.Contains(r.JSON, `.example"`) || invented.MatchString(r.JSON) {
					t.Fatalf("%s/%s holds a value that is no canary:\n%s", r.Type, r.ID, r.JSON)
				}
			}
			if len(a.numbers) < 2*len(set.Resources) || a.n < uint64(4*len(set.Resources)) {
				t.Fatalf("%d numbers of %d canaries in %d resources: too few", len(a.numbers), a.n, len(set.Resources))
			}
			server := httptest.NewServer(singing(mockserver.New(set, mockserver.WithKeys(canaryKey), mockserver.WithRate("0"))))
			defer server.Close()
			home := t.TempDir()
			var out output
			env := Env{Stdout: &out, Stderr: &out, Getenv: func(name string) string {
				return map[string]string{keyVariable: canaryKey, secretVariable: canarySecret, "HOME": home, "TMPDIR": home}[name]
			}}
			env.Args = []string{"record", "-target", server.URL + "/fhir/v2", "-out", filepath.Join(home, "walk"), "-rate", "0"}
			if code := Main(context.Background(), env); code != exitOK {
				t.Fatalf("record exits with %d:\n%s", code, out.String())
			}
			recordTraffic(t, env, &out, server.URL, filepath.Join(home, "traffic"))
			env.Args = []string{"fixtures", "lint", filepath.Join(home, "traffic")}
			if code := Main(context.Background(), env); code != exitOK {
				t.Errorf("lint exits with %d", code)
			}
			env.Args = []string{"fixtures", "export", "-out", filepath.Join(home, "traffic.har"), filepath.Join(home, "walk")}
			if code := Main(context.Background(), env); code != exitOK {
				t.Errorf("export exits with %d", code)
			}
			if found := a.heard(out.String()); len(found) > 0 {
				t.Errorf("the output holds %q", found[:min(5, len(found))])
			}
			a.listen(t, home)
		})
	}
}

// listen looks for canaries in every file below a directory, and in their
// names.
func (a *aviary) listen(t *testing.T, root string) {
	t.Helper()
	files := 0
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if found := a.heard(name + "\n" + string(text)); len(found) > 0 {
			t.Errorf("%s holds %q", name, found[:min(5, len(found))])
		}
		files++
		return err
	})
	if err != nil || files < 120 {
		t.Errorf("%d files, %v: too few to tell anything", files, err)
	}
}

// recordTraffic syncs every type through the recording proxy, with the key in
// a header, in the query and in a cookie.
func recordTraffic(t *testing.T, env Env, out *output, server, dir string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	env.Args = []string{"record", "-target", server + "/fhir/v2", "-out", dir, "-rate", "0", "-listen", "127.0.0.1:0"}
	code := make(chan int, 1)
	go func() { code <- Main(ctx, env) }()
	address := ""
	for range 500 {
		if _, rest, ok := strings.Cut(out.String(), "point the client at "); ok {
			address, _, _ = strings.Cut(rest, "/fhir/v2;")
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	for i, typ := range synth.Types {
		next := address + "/fhir/v2/" + typ + "?_count=500&_total=accurate"
		for pages := 0; next != ""; pages++ {
			if pages == 0 && i%2 == 0 {
				next += "&api-key=" + url.QueryEscape(canaryKey)
			}
			req, err := http.NewRequest(http.MethodGet, next, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set(redact.KeyHeader, canaryKey)
			req.AddCookie(&http.Cookie{Name: "key", Value: canaryKey})
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("%d, %v\n%.300s", res.StatusCode, err, body)
			}
			_, next, _ = strings.Cut(string(body), `"relation": "next","url": "`)
			next, _, _ = strings.Cut(next, `"`)
		}
	}
	cancel()
	if got := <-code; got != exitOK {
		t.Fatalf("record -listen exits with %d:\n%s", got, out.String())
	}
}

// output is a buffer that a command writes to while a test reads it.
type output struct {
	mu sync.Mutex
	b  strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// invented is a technical id of a generated directory.
var invented = regexp.MustCompile(`"([A-Za-z]+/)?00[1-5](-0[12])?-[45][0-9]{7}`)
