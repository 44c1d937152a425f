package mockserver_test

import (
	"crypto/tls"
	"net/netip"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/mockserver"
)

// TestOrigin: every link leads to the origin that the client used: its Host,
// or what a proxy that is trusted says of it, or what -public-url fixes. What
// makes no origin is ignored.
func TestOrigin(t *testing.T) {
	t.Parallel()
	set := directory("Device/a", "Device/b")
	only := func(prefix string) mockserver.Option {
		return mockserver.WithTrustedProxies(netip.MustParsePrefix(prefix))
	}
	const proxy, stranger = "10.1.2.3:4567", "192.0.2.1:1234"
	for _, c := range []struct {
		name   string
		remote string
		host   string
		tls    bool
		header []string
		opts   []mockserver.Option
		want   string
	}{
		{name: "Host", remote: stranger, host: "mock.example", want: "http://mock.example"},
		{name: "Host with a port", remote: stranger, host: "127.0.0.1:8080", want: "http://127.0.0.1:8080"},
		{name: "IPv6", remote: stranger, host: "[::1]:8080", want: "http://[::1]:8080"},
		{name: "TLS", remote: stranger, host: "mock.example", tls: true, want: "https://mock.example"},
		{name: "no Host", remote: stranger, host: "", want: "http://localhost"},
		{name: "a Host that is none", remote: stranger, host: `a"b`, want: "http://localhost"},
		{name: "a Host with a path", remote: stranger, host: "a/b", want: "http://localhost"},
		{name: "a Host with a name", remote: stranger, host: "user@a", want: "http://localhost"},
		{name: "a Host that is not ASCII", remote: stranger, host: "santé.example", want: "http://localhost"},
		{name: "a Host too long", remote: stranger, host: strings.Repeat("a", 256), want: "http://localhost"},

		{name: "a stranger's word", remote: stranger, host: "mock.example", header: []string{"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https", "X-Forwarded-Prefix", "/x", "Forwarded", "host=evil.example"}, want: "http://mock.example"},
		{name: "an address that is none", remote: "pipe", host: "mock.example", header: []string{"X-Forwarded-Host", "evil.example"}, want: "http://mock.example"},
		{name: "a proxy", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Host", "sante.example", "X-Forwarded-Proto", "https"}, want: "https://sante.example"},
		{name: "a proxy over IPv6", remote: "[::1]:5", host: "mock.example", header: []string{"X-Forwarded-Host", "sante.example"}, want: "http://sante.example"},
		{name: "a proxy over IPv4 in IPv6", remote: "[::ffff:127.0.0.1]:5", host: "mock.example", header: []string{"X-Forwarded-Host", "sante.example"}, want: "http://sante.example"},
		{name: "a link-local proxy", remote: "[fe80::1%eth0]:5", host: "mock.example", header: []string{"X-Forwarded-Host", "sante.example"}, want: "http://sante.example"},
		{name: "a scheme alone", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Proto", "HTTPS"}, want: "https://mock.example"},
		{name: "a scheme back to http", remote: proxy, host: "mock.example", tls: true, header: []string{"X-Forwarded-Proto", "http"}, want: "http://mock.example"},
		{name: "a scheme that is none", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Proto", "javascript"}, want: "http://mock.example"},
		{name: "a host that is none", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Host", "a b"}, want: "http://mock.example"},
		{name: "the first of several", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Host", "one.example, two.example", "X-Forwarded-Proto", "https,http", "X-Forwarded-Port", "8443, 1"}, want: "https://one.example:8443"},
		{name: "a port", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Port", "8080"}, want: "http://mock.example:8080"},
		{name: "a port of its own", remote: proxy, host: "mock.example:81", header: []string{"X-Forwarded-Port", "8080"}, want: "http://mock.example:81"},
		{name: "a port that https implies", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Proto", "https", "X-Forwarded-Port", "443"}, want: "https://mock.example"},
		{name: "a port that http implies", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Port", "80"}, want: "http://mock.example"},
		{name: "the other scheme's port", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Port", "443"}, want: "http://mock.example:443"},
		{name: "a port behind IPv6", remote: proxy, host: "[::1]", header: []string{"X-Forwarded-Port", "8080"}, want: "http://[::1]:8080"},
		{name: "a port that is none", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Port", "8o"}, want: "http://mock.example"},
		{name: "a port too large", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Port", "65536"}, want: "http://mock.example"},
		{name: "port 0", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Port", "0"}, want: "http://mock.example"},
		{name: "a prefix", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Prefix", "/annuaire/"}, want: "http://mock.example/annuaire"},
		{name: "a prefix of two", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Prefix", "/a/b"}, want: "http://mock.example/a/b"},
		{name: "no prefix", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Prefix", "/"}, want: "http://mock.example"},
		{name: "a prefix without slash", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Prefix", "a"}, want: "http://mock.example"},
		{name: "a prefix that is a host", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Prefix", "//evil.example"}, want: "http://mock.example"},
		{name: "a prefix with a query", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Prefix", "/a?b"}, want: "http://mock.example"},
		{name: "Forwarded", remote: proxy, host: "mock.example", header: []string{"Forwarded", `for=1.2.3.4;Proto=HTTPS; Host="sante.example:8443", host=two.example`}, want: "https://sante.example:8443"},
		{name: "Forwarded wins", remote: proxy, host: "mock.example", header: []string{"Forwarded", "host=one.example;proto=https", "X-Forwarded-Host", "two.example", "X-Forwarded-Proto", "http"}, want: "https://one.example"},
		{name: "half a Forwarded", remote: proxy, host: "mock.example", header: []string{"Forwarded", "for=1.2.3.4", "X-Forwarded-Host", "two.example"}, want: "http://two.example"},
		{name: "nonsense in Forwarded", remote: proxy, host: "mock.example", header: []string{"Forwarded", `;;=;host="";proto`}, want: "http://mock.example"},

		{name: "others are trusted", remote: stranger, host: "mock.example", header: []string{"X-Forwarded-Host", "sante.example"}, opts: []mockserver.Option{only("192.0.2.0/24")}, want: "http://sante.example"},
		{name: "others alone", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Host", "sante.example"}, opts: []mockserver.Option{only("192.0.2.0/24")}, want: "http://mock.example"},
		{name: "nobody is trusted", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Host", "sante.example"}, opts: []mockserver.Option{mockserver.WithTrustedProxies()}, want: "http://mock.example"},

		{name: "a public URL", remote: proxy, host: "mock.example", header: []string{"X-Forwarded-Host", "sante.example"}, opts: []mockserver.Option{mockserver.WithPublicURL("https://api.example:8443/pre/")}, want: "https://api.example:8443/pre"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := inProcess("GET", "/fhir/v2/Device?_count=1", "", c.header...)
			r.RemoteAddr, r.Host = c.remote, c.host
			if c.tls {
				r.TLS = &tls.ConnectionState{}
			}
			b := decodeBundle(t, answer(build(t, set, c.opts...), r).Body.String())
			for name, link := range map[string]string{"fullUrl": b.Entry[0].FullURL, "self": b.link("self"), "next": b.link("next")} {
				if !strings.HasPrefix(link, c.want+"/fhir/v2/") {
					t.Errorf("%s is %s, want it at %s", name, link, c.want)
				}
			}
		})
	}
}
