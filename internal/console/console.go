// Package console is the demonstrator: the page at the mock's root on which a
// newcomer gets a key, tries the API, watches the traffic, breaks things and
// reads a drift report. It serves files that are embedded as they stand, and
// what the page's form is made of; all else the page asks of the control API,
// the portal and the FHIR API, as any other client does.
package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// Prefix is where the files of the page are, the page itself being at "/".
const Prefix = "/__mockfhir/console/"

//go:embed web
var embedded embed.FS

// policy lets the page do what it does and nothing else. Trusted types make a
// string that becomes markup an error: a directory whose names are scripts is
// text here.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// contentTypes are those of the files: the tables of an operating system may
// know others, and with nosniff a wrong one is a page without scripts.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// asset is a file as it is served.
type asset struct {
	kind, tag string
	text      []byte
}

// assets are the files by the path they are served at.
var assets = load()

func load() map[string]asset {
	files, err := fs.Sub(embedded, "web")
	if err != nil {
		panic("console: " + err.Error()) // the embedded directory has another name
	}
	names, _ := fs.Glob(files, "*")
	all := map[string]asset{}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			panic("console: " + err.Error())
		}
		sum := sha256.Sum256(text)
		a := asset{contentTypes[path.Ext(name)], `"` + hex.EncodeToString(sum[:8]) + `"`, text}
		if name == "index.html" {
			all["/"] = a
			continue
		}
		all[Prefix+name] = a
	}
	return all
}

// ServeHTTP answers GET and HEAD for the page and its files. It reports
// whether there was something to answer.
func ServeHTTP(w http.ResponseWriter, r *http.Request) bool {
	a, found := assets[r.URL.Path]
	if !found || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache") // another version of the mock may answer next at this address
	h.Set("ETag", a.tag)
	if strings.Contains(r.Header.Get("If-None-Match"), a.tag) {
		w.WriteHeader(http.StatusNotModified)
		return true
	}
	_, _ = w.Write(a.text) // net/http leaves it out of an answer to HEAD
	return true
}
