package mockserver

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// linker finds the origin that the client used, so that every link leads back
// to it: scheme, host, port, and the prefix a proxy took away.
type linker struct {
	publicURL string
	trusted   []netip.Prefix
}

// origin is "https://host:port/prefix", without a slash at the end.
func (l linker) origin(r *http.Request) string {
	if l.publicURL != "" {
		return l.publicURL
	}
	scheme, host, prefix := "http", r.Host, ""
	if r.TLS != nil {
		scheme = "https"
	}
	if l.trusts(r.RemoteAddr) {
		scheme, host, prefix = forwarded(r.Header, scheme, host)
	}
	if !isHost(host) {
		host = "localhost"
	}
	return scheme + "://" + host + prefix
}

func (l linker) trusts(remote string) bool {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	ip := addr.Addr().Unmap().WithZone("")
	for _, p := range l.trusted {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// forwarded reads what a proxy says of the client's request: RFC 7239's
// Forwarded, else the X-Forwarded-* headers. What makes no origin is ignored.
func forwarded(h http.Header, scheme, host string) (string, string, string) {
	if len(h["Forwarded"]) == 0 && len(h["X-Forwarded-Host"]) == 0 && len(h["X-Forwarded-Proto"]) == 0 &&
		len(h["X-Forwarded-Port"]) == 0 && len(h["X-Forwarded-Prefix"]) == 0 {
		return scheme, host, ""
	}
	proto, from := firstItem(h.Get("X-Forwarded-Proto")), firstItem(h.Get("X-Forwarded-Host"))
	for pair := range strings.SplitSeq(firstItem(h.Get("Forwarded")), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		switch value = strings.Trim(value, `"`); strings.ToLower(name) {
		case "proto":
			proto = value
		case "host":
			from = value
		}
	}
	if proto = strings.ToLower(proto); proto == "http" || proto == "https" {
		scheme = proto
	}
	if isHost(from) {
		host = from
	}
	if port := firstItem(h.Get("X-Forwarded-Port")); isPort(port) {
		host = withPort(host, scheme, port)
	}
	prefix := strings.TrimSuffix(firstItem(h.Get("X-Forwarded-Prefix")), "/")
	if !strings.HasPrefix(prefix, "/") || strings.HasPrefix(prefix, "//") || strings.Trim(prefix, unreserved+"/") != "" {
		prefix = ""
	}
	return scheme, host, prefix
}

func firstItem(list string) string {
	first, _, _ := strings.Cut(list, ",")
	return strings.TrimSpace(first)
}

const (
	letters    = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits     = "0123456789"
	unreserved = letters + digits + "-._~"
)

func isHost(s string) bool {
	return s != "" && len(s) <= 255 && strings.Trim(s, unreserved+":[]") == ""
}

func isPort(s string) bool {
	port, err := strconv.ParseUint(s, 10, 16)
	return err == nil && port > 0
}

// withPort gives a host a port, unless it has one or the scheme implies it.
func withPort(host, scheme, port string) string {
	named := strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']')
	if named || scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		return host
	}
	return host + ":" + port
}
