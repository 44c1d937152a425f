package walk

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/mockserver"
)

// browser starts chromium, once for a test and its parts.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := find("chromium", "chromium-browser", "google-chrome")
	if err != nil {
		if os.Getenv("MOCKFHIR_CHROMIUM") == "required" {
			t.Fatalf("MOCKFHIR_CHROMIUM=required, and %v", err)
		}
		t.Skipf("%v: the page is not walked through (apt-get install chromium)", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, // a container's root has no other way
		chromedp.Flag("disable-dev-shm-usage", true))
	allocated, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stopBrowser := chromedp.NewContext(allocated)
	t.Cleanup(stopBrowser)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("%s does not start: %v", path, err)
	}
	return ctx
}

func find(names ...string) (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no %s on the path", strings.Join(names, " or "))
}

// serve is the mock on a random port.
func serve(t *testing.T, set *fixtures.Set, opts ...mockserver.Option) string {
	t.Helper()
	return serveBehind(t, func(h http.Handler) http.Handler { return h }, set, opts...)
}

func serveBehind(t *testing.T, wrap func(http.Handler) http.Handler, set *fixtures.Set, opts ...mockserver.Option) string {
	t.Helper()
	mock, err := mockserver.Build(set, opts...)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(wrap(mock))
	server.Listener = mockserver.Listener(server.Listener, nil)
	server.Start()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// size is a window.
type size struct {
	name          string
	width, height int64
	phone         bool
}

var (
	phone   = size{"phone", 360, 740, true}
	desktop = size{"desktop", 1280, 900, false}
)

// tab is a page that somebody looks at.
type tab struct {
	*testing.T
	ctx context.Context

	mu       sync.Mutex
	troubles []string
}

// look opens a page in a tab of its own, as somebody of a language does.
func look(t *testing.T, browser context.Context, url, language string, s size, dark bool) *tab {
	t.Helper()
	ctx, stop := chromedp.NewContext(browser)
	ctx, stopTime := context.WithTimeout(ctx, 4*time.Minute)
	p := &tab{T: t, ctx: ctx}
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, trouble := range p.troubles {
			t.Error(trouble)
		}
		stopTime()
		stop()
	})
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		t.Fatal(err)
	}
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	p.do(
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
				Width: s.width, Height: s.height, DeviceScaleFactor: 1, Mobile: s.phone,
			})
			if err != nil {
				return err
			}
			_, err = cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
			}})
			if err != nil {
				return err
			}
			_, err = cdp.Call(ctx, target, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: "walk", AcceptLanguage: language})
			return err
		}),
		chromedp.Navigate(url),
	)
	return p
}

// hear keeps what the browser complains of.
func (p *tab) hear(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		p.trouble("the page throws " + text)
	case *log.EventEntryAdded:
		if e.Entry.Source != "network" || strings.Contains(e.Entry.Text, "net::") { // not the 401 that was asked for
			p.trouble(fmt.Sprintf("the browser says %s: %s", e.Entry.Source, e.Entry.Text))
		}
	}
}

func (p *tab) trouble(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.troubles = append(p.troubles, text)
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.Fatal(err)
	}
}

// is evaluates an expression, a promise's to its end.
func is[V any](p *tab, expression string) V {
	p.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[V](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.Fatalf("%v: %s", err, expression)
	}
	return v
}

// run runs statements.
func (p *tab) run(statements string) {
	p.Helper()
	is[bool](p, "(() => { "+statements+"; return true; })()")
}

// until waits for an expression to hold. chromedp's own Poll makes functions
// of strings, which the policy of the page refuses.
func (p *tab) until(expression string) {
	p.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if is[bool](p, "Boolean("+expression+")") {
			return
		}
		if time.Now().After(deadline) {
			p.shot("stuck")
			p.Fatalf("this never came: %s\nthe page says: %.2000s", expression, is[string](p, "document.body.innerText"))
		}
	}
}

// press types a key as a keyboard does.
func (p *tab) press(key string) {
	p.Helper()
	p.do(chromedp.KeyEvent(key))
}

// tabTo goes to an element by the Tab key alone, and sees that each stop on
// the way shows that it has the focus.
func (p *tab) tabTo(selector string) {
	p.Helper()
	for range 400 {
		p.press("\t")
		stop := is[string](p, `(() => {
			const e = document.activeElement;
			if (e === document.body) return 'nothing';
			const s = getComputedStyle(e);
			if (!(parseFloat(s.outlineWidth) >= 2 && s.outlineStyle !== 'none')) return 'no outline: ' + e.outerHTML.slice(0, 200);
			return e.matches(`+quote(selector)+`) ? 'there' : 'on the way';
		})()`)
		switch {
		case stop == "there":
			return
		case strings.HasPrefix(stop, "no outline"):
			p.Error(stop)
		}
	}
	p.Fatalf("the keyboard does not reach %s", selector)
}

func quote(text string) string { return fmt.Sprintf("%q", text) }

// choose sets a control as a hand does.
func (p *tab) choose(selector, value string) {
	p.Helper()
	p.until(`document.querySelector(` + quote(selector) + `)`)
	is[bool](p, `(() => {
		const e = document.querySelector(`+quote(selector)+`);
		e.value = `+quote(value)+`;
		e.dispatchEvent(new Event('input', { bubbles: true }));
		e.dispatchEvent(new Event('change', { bubbles: true }));
		return e.value === `+quote(value)+`;
	})()`)
}

// shot keeps a picture when MOCKFHIR_SHOTS says where.
func (p *tab) shot(name string) {
	p.Helper()
	dir := os.Getenv("MOCKFHIR_SHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.Fatal(err)
	}
	file := strings.NewReplacer("/", "-", " ", "-").Replace(p.Name() + "-" + name + ".png")
	if err := os.WriteFile(filepath.Join(dir, file), picture, 0o600); err != nil {
		p.Error(err)
	}
}
