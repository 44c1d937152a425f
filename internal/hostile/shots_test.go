package hostile

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// request is a request with the key and the headers given.
func request(method, target, body string, headers ...string) shot {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: localhost\r\nESANTE-API-KEY: %s\r\n", method, target, hostileKey)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	return shot{raw: b.String()}
}

func get(target string, headers ...string) shot { return request("GET", target, "", headers...) }

const form = "Content-Type: application/x-www-form-urlencoded"

func post(target, body string) shot { return request("POST", target, body, form) }

// alone gives a shot a connection of its own, for what spoils a connection.
func alone(s shot) shot { s.fresh = true; return s }

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// some repeats a text up to n times.
func some(r *rand.Rand, text string, n int) string { return strings.Repeat(text, 1+r.IntN(n)) }

// bytesOf is up to n bytes of an alphabet.
func bytesOf(r *rand.Rand, alphabet string, n int) string {
	b := make([]byte, 1+r.IntN(n))
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

func anyBytes(r *rand.Rand, n int) string {
	b := make([]byte, 1+r.IntN(n))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

func anyType(r *rand.Rand) string {
	return pick(r, "Practitioner", "PractitionerRole", "Organization", "HealthcareService", "Device", "Patient", "practitioner", "")
}

func anyParam(r *rand.Rand) string {
	return pick(r, "name", "family", "identifier", "active", "_id", "_lastUpdated", "_count", "_total", "_elements", "_include",
		"_revinclude", "type", "organization", "qualification-code", "address-city", "role", "_sort", "_has", "_format", "nonsense")
}

func search(r *rand.Rand, query string) shot { return get("/fhir/v2/" + anyType(r) + "?" + query) }

const (
	base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	controls  = "\x00\x01\x02\x07\x08\x0b\x0c\x0e\x1b\x1f\x7f"
)

// searched are the statuses of a search: found, or told what is wrong
// (ans-server.md §3.2); routed those of a path that may lead anywhere.
var (
	searched = []int{200, 500}
	routed   = []int{200, 400, 404, 500}
)

// hostilities are the families. Where one names a status, the source is
// ans-server.md §1 to §6 for 200, 400, 404, 500 and 502, gravitee.md §1 to §3
// for 400 to 431.
func hostilities(token string) []hostility {
	return []hostility{
		{"bad escapes in values", searched, func(r *rand.Rand) shot {
			bad := pick(r, "%", "%z", "%zz", "%SA65", "%u00e9", "%C0%AF", "%ff%fe", "%ED%A0%80", "%0d%0aX:%20y", "%2", "%%", "%25", "%25zz", "+%+")
			return search(r, anyParam(r)+pick(r, "=", "%3A=", bad+"=", ":"+bad+"=")+some(r, bad, 20))
		}},
		{"bad escapes in paths", []int{400, 404, 500}, func(r *rand.Rand) shot {
			return get(pick(r, "/fhir/v2/Pra%zztitioner", "/fhir/v2/%", "/fhir/v2/Practitioner/%00", "/fhir/v2/Practitioner%3Fname=a",
				"/fhir%2Fv2/Practitioner", "/fhir/v2/%2e%2e/%2e%2e/etc", "/%66hir/v2/Device", "/fhir/v2/Practitioner/%c0%ae%c0%ae") + some(r, "%41", 50))
		}},
		{"control bytes", []int{400}, func(r *rand.Rand) shot {
			c := string(controls[r.IntN(len(controls))])
			s := get("/fhir/v2/Practitioner?name=a", "X-Other: b")
			at := pick(r, "Practitioner", "?name=", "X-Other", ": b", "GET ", "localhost")
			return alone(shot{raw: strings.Replace(s.raw, at, at[:len(at)-1]+c+at[len(at)-1:], 1)})
		}},
		{"escaped NULs", routed, func(r *rand.Rand) shot {
			nuls := some(r, "%00", 100)
			return get("/fhir/v2/" + pick(r, "Practitioner?name="+nuls, "Practitioner?"+nuls+"=a", "Practitioner/"+nuls, nuls,
				"metadata?"+nuls, "Device?identifier="+nuls+"|"+nuls, "Practitioner?_lastUpdated=ge"+nuls, "_page?"+nuls))
		}},
		{"huge counts", searched, func(r *rand.Rand) shot {
			n := pick(r, bytesOf(r, "0123456789", 400), "-"+bytesOf(r, "0123456789", 40), "2147483647", "2147483648", "-2147483649", "4294967297",
				"50000000", "50000001", "9223372036854775808", "0x7fffffff", "1e9", "NaN", "%2B5", "+5", "٣", "1_000", "00000000000000000000000000000001")
			return search(r, "_count="+strings.ReplaceAll(n, "٣", "%D9%A3")+pick(r, "", "&_count=1", ",5", "&_total=none"))
		}},
		{"deep commas", searched, func(r *rand.Rand) shot {
			piece := pick(r, ",", "%2C", "a,", "|,", "a|b,", ",,a", "%5C,")
			return search(r, anyParam(r)+"="+strings.Repeat(piece, 1+r.IntN(3500/len(piece))))
		}},
		{"commas by the thousand", searched, func(r *rand.Rand) shot {
			piece := pick(r, ",", "a,", "|,", "Organization/1,", "ge2026,")
			return alone(post("/fhir/v2/"+anyType(r)+"/_search", anyParam(r)+"="+strings.Repeat(piece, 1+r.IntN(200_000/len(piece)))))
		}},
		{"includes by the thousand", searched, func(r *rand.Rand) shot {
			// A repeated _revinclude repeats its resources (ans-server.md §2.12),
			// up to a bound.
			return alone(post("/fhir/v2/"+anyType(r)+"/_search", pick(r, some(r, "_include=*&", 5000), some(r, "_include=Organization:partof&", 5000),
				some(r, "_revinclude=PractitionerRole:organization&", 20_000), some(r, "_revinclude=PractitionerRole:practitioner&", 100))))
		}},
		{"forged tokens", []int{400, 500, 502}, func(r *rand.Rand) shot {
			i := 1 + r.IntN(len(token)-8)
			flipped := string(base64url[(strings.IndexByte(base64url, token[i])+1+r.IntN(62))%64])
			return get("/fhir/v2/_page?" + pick(r, "id="+token[:i], "id="+token[:i]+flipped+token[i+1:], "id="+token[:i]+token[i+4:],
				"id="+token+token[1:], "id=d"+token[1:], "id="+token[1:], "id="+strings.ToLower(token), "id=u"+bytesOf(r, base64url, 600),
				"id=u"+bytesOf(r, base64url, 100)+"%00", "id=d"+bytesOf(r, "0123456789abcdef-", 40), "id=", "id=%20", "", "ID="+token,
				"id=u", "id=u%3D%3D", "id=&id="+token, "id=u&id="+token, "id=%zz&id=u"))
		}},
		{"long tokens", []int{502}, func(r *rand.Rand) shot {
			return alone(get("/fhir/v2/_page?id=u" + bytesOf(r, base64url, 200_000)))
		}},
		{"real tokens in bad company", []int{200}, func(r *rand.Rand) shot {
			return get("/fhir/v2/_page" + pick(r, "", "XYZ", "/..") + "?" + pick(r, "", "_count=-1&", "&&&", "%zz&", "x=%zz&") +
				"id=" + pick(r, token, strings.ReplaceAll(token, "=", "%3D")) + pick(r, "", "&id=u", "&_elements=%00"))
		}},
		{"raw pipes", searched, func(r *rand.Rand) shot {
			return search(r, anyParam(r)+"="+bytesOf(r, "|a,:=&+", 300))
		}},
		{"raw brackets and quotes", []int{400}, func(r *rand.Rand) shot {
			return search(r, anyParam(r)+"="+bytesOf(r, "\"<>\\^`{}", 30)+"<script>")
		}},
		{"spaces and letters in targets", []int{400}, func(r *rand.Rand) shot {
			return alone(search(r, "name="+pick(r, " ", "a b", "é", "œuvre", "\xff\xfe", "日本", "\u202e")+bytesOf(r, "abc", 10)))
		}},
		{"large forms", []int{200, 413, 500}, func(r *rand.Rand) shot {
			size := pick(r, 1<<20, 1<<20+1, 1<<20-1, 1<<19, 3<<19) - r.IntN(3)
			piece := pick(r, "name=a&", "x", "&", "=", "%", "%41", "name=", "_include=*&", "\x00")
			return alone(post("/fhir/v2/"+anyType(r)+"/_search", strings.Repeat(piece, size/len(piece)+1)[:size]))
		}},
		{"chunked forms", []int{200, 413, 500}, func(r *rand.Rand) shot {
			s := request("POST", "/fhir/v2/Practitioner/_search", "", form, "Transfer-Encoding: chunked")
			for range 1 + r.IntN(200) {
				part := bytesOf(r, "name=a&,|%", 1+r.IntN(8000))
				s.raw += fmt.Sprintf("%x%s\r\n%s\r\n", len(part), pick(r, "", ";x=y", "; \t"), part)
			}
			s.raw += "0\r\n\r\n"
			return alone(s)
		}},
		{"bodies where none belongs", []int{200, 403, 404, 405, 500, 502}, func(r *rand.Rand) shot {
			return alone(request(pick(r, "GET", "HEAD", "POST"), "/fhir/v2/"+pick(r, "metadata", "Practitioner", "Practitioner/1", "_page?id="+token, "$index"),
				anyBytes(r, 3000), pick(r, form, "Content-Type: application/fhir+json", "X-Nothing: 1")))
		}},
		{"lying lengths", []int{noAnswer, 400, 502}, func(r *rand.Rand) shot {
			head := pick(r, "Content-Length: 1000", "Content-Length: -1", "Content-Length: 99999999999999999999", "Content-Length: 1e3",
				"Content-Length: +5", "Content-Length: 5\r\nContent-Length: 6", "Transfer-Encoding: chunked")
			s := request("POST", "/fhir/v2/Practitioner/_search", "", form, head)
			s.raw += pick(r, "name=a", "fffffffffffffffff\r\n", "zz\r\nname", "-1\r\n", "5\r\nname=abc\r\n", "5\r\nna")
			s.done = true
			return s
		}},
		{"smuggled requests", []int{200, 400, 405, 500, 502}, func(r *rand.Rand) shot {
			head := pick(r, "Content-Length: 6\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
				"Transfer-Encoding: gzip, chunked", "Transfer-Encoding : chunked", "Transfer-Encoding:\tchunked", "Transfer-Encoding: xchunked",
				"Content-Length: 0\r\nContent-Length: 0", "X: a\r\n b: folded", ": nameless", "no colon", "Content-Length: 0, 0")
			s := request(pick(r, "POST", "GET"), "/fhir/v2/Practitioner/_search", "", form, "Connection: close", head)
			s.raw += "0\r\n\r\nGET /fhir/v2/metadata HTTP/1.1\r\n\r\n"
			s.done = true
			return s
		}},
		{"crowded headers", []int{431}, func(r *rand.Rand) shot {
			name := pick(r, "X-", "Cookie", "ESANTE-API-KEY", "Accept", "X-Forwarded-For")
			long := name + ": " + bytesOf(r, base64url, 100)
			for len(long) < 9000+r.IntN(300_000) {
				long += pick(r, "\r\n"+name+": ", ",", "\r\nX-"+bytesOf(r, base64url, 20)+": ") + bytesOf(r, base64url, 2000)
			}
			return alone(get("/fhir/v2/metadata", long))
		}},
		{"odd hosts", []int{200, 400}, func(r *rand.Rand) shot {
			odd := pick(r, "", "a b", `"><script>`, "evil.example/path", "[::1", "a\\b", "é", "user@host", "%00", strings.Repeat("a", 4000), ":::", "a:b:c")
			if r.IntN(2) == 0 {
				return alone(shot{raw: strings.Replace(get("/fhir/v2/Device?_count=1").raw, "Host: localhost", pick(r, "Host: "+odd, "X-Host: a", "Host: a\r\nHost: b"), 1)})
			}
			return get("/fhir/v2/Device?_count=1", pick(r, "X-Forwarded-Host: ", "X-Forwarded-Prefix: /", "X-Forwarded-Port: ", "X-Forwarded-Proto: ", "Forwarded: host=", "Forwarded: ")+odd)
		}},
		{"keys that are none", []int{401}, func(r *rand.Rand) shot {
			key := pick(r, "", " ", "wrong", hostileKey+"x", strings.ToUpper(hostileKey), "a, "+hostileKey, "'; DROP TABLE keys--", strings.Repeat("k", 6000), "é", "null")
			s := get("/fhir/v2/"+pick(r, "metadata", "Practitioner?api-key="+strings.Trim(bytesOf(r, base64url, 50), "-"), "nothing"), "Accept: "+pick(r, "*/*", "application/json;q=z", strings.Repeat("a/b,", 100), ";;;", "application/fhir+json"))
			return shot{raw: strings.Replace(s.raw, "ESANTE-API-KEY: "+hostileKey, pick(r, "ESANTE-API-KEY: "+key, "X-API-KEY: "+hostileKey), 1)}
		}},
		{"methods", []int{400, 404, 405}, func(r *rand.Rand) shot {
			method := pick(r, "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "OPTIONS", "PROPFIND", "get", "POST", "PRI", "", "G ET", "GET\x00", "A"+strings.Repeat("B", 3000))
			return alone(request(method, pick(r, "/fhir/v2/Practitioner", "/fhir/v2/metadata", "/fhir/v2/Practitioner/1", "*", "localhost:443"), ""))
		}},
		{"versions", []int{200, 400}, func(r *rand.Rand) shot {
			version := pick(r, "HTTP/0.9", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/3.0", "HTTP/99.99", "http/1.1", "HTTP/1.1 HTTP/1.1", "HTTP/1", "HTTP/1.1.1", "FTP/1.1", "", "HTTP/-1.1")
			return alone(shot{raw: strings.Replace(get("/fhir/v2/metadata").raw, "HTTP/1.1", version, 1)})
		}},
		{"odd paths", routed, func(r *rand.Rand) shot {
			return get(pick(r, "/fhir/v2/"+some(r, "a/", 1500), "/fhir/v2/"+some(r, "../", 500), "/fhir/v2"+some(r, "/", 3000), "/fhir/v2/Practitioner;v=1", "/fhir/v99/metadata",
				"/fhir/v2/_page/../metadata?id=x", "//evil.example/fhir/v2/Practitioner", "http://evil.example/fhir/v2/Practitioner?_count=1", "http://", "ftp://a", "/", "/fhir", "/fhirx", "/FHIR/v2/metadata",
				"/fhir/v2/$meta", "/fhir/v2/.", "/fhir/v2/Practitioner/"+bytesOf(r, base64url+".", 3000), "/fhir/v2/Practitioner/_history/1/2/3", "/__mockfhir/", "/__mockfhir/../fhir/v2/metadata"))
		}},
		{"long lines", []int{414}, func(r *rand.Rand) shot {
			return alone(search(r, some(r, "name=a&", 20)+strings.Repeat(pick(r, "a", "&", "%41", "|"), 4100+r.IntN(500_000))))
		}},
		{"crowds of parameters", searched, func(r *rand.Rand) shot {
			var query strings.Builder
			for query.Len() < r.IntN(3500) {
				query.WriteString(anyParam(r) + pick(r, "", ":exact", ":not", ":missing", ":Organization.name", "::", ":") + pick(r, "=", "==", "") + pick(r, "a", "", "%41", "0", "|", "true", "*") + pick(r, "&", "&&", ";"))
			}
			return search(r, query.String())
		}},
		{"odd dates", searched, func(r *rand.Rand) shot {
			return search(r, "_lastUpdated"+pick(r, "", ":exact", ":missing")+"="+pick(r, "", "ge", "ne", "ap", "zz", "gege", "%25now", "ge%25now-")+
				pick(r, "", "0000", "99999", "2026-13-45", "2026-02-30T25:61:61", bytesOf(r, "0123456789-:T+Z.", 60), "%25now", "999999999999d", "-1d", "1y1y1y", "2026-01-01T00:00:00.000%2B99:99"))
		}},
		{"includes and elements", searched, func(r *rand.Rand) shot {
			return search(r, pick(r, some(r, "_include=*&", 200), some(r, "_revinclude=PractitionerRole:organization&", 80), some(r, "_include=Practitioner:x:y:z&", 80),
				"_elements="+some(r, "a.", 1500), "_elements="+some(r, "name,", 600), "_elements=identifier,identifier.value,.,..,*", "_include:iterate=Organization:partof&_include=:&_revinclude=::", "_elements=%00,"+some(r, "$", 100))+"&_count=2")
		}},
		{"garbage", []int{noAnswer, 400, 404}, func(r *rand.Rand) shot {
			return shot{done: true, raw: pick(r, anyBytes(r, 4000), "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"+anyBytes(r, 500), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+anyBytes(r, 100),
				some(r, "\r\n", 500), "SSH-2.0-OpenSSH_9.9\r\n", `{"resourceType":"Bundle"}`, "GET", "GET /fhir", "GET /fhir/v2/metadata HTTP/1.1", "GET /fhir/v2/metadata HTTP/1.1\r\nHost", some(r, "\x00", 9000))}
		}},
		{"slow senders", []int{200}, func(r *rand.Rand) shot {
			s := pick(r, get("/fhir/v2/metadata"), post("/fhir/v2/Practitioner/_search", "_count=1"))
			s.pieces, s.pause = 2+r.IntN(20), time.Duration(r.IntN(2000))*time.Microsecond
			return alone(s)
		}},
		{"senders who leave", nil, func(r *rand.Rand) shot {
			s := pick(r, get("/fhir/v2/Device?_count=500"), post("/fhir/v2/Practitioner/_search", some(r, "name=a&", 5000)), get("/fhir/v2/metadata"))
			s.raw = s.raw[:1+r.IntN(len(s.raw))] // the whole of it, at times
			s.hangUp = true
			return s
		}},
		{"readers who leave", nil, func(r *rand.Rand) shot {
			s := get("/fhir/v2/" + pick(r, "Device", "PractitionerRole", "Practitioner") + "?_count=5000")
			s.hangUp = true
			return s
		}},
		{"requests in one go", []int{200}, func(r *rand.Rand) shot {
			n := 2 + r.IntN(20)
			return shot{raw: strings.Repeat(get("/fhir/v2/Practitioner?_count=1&_elements=id").raw, n), answers: n, fresh: true}
		}},
		{"expectations", []int{200, 400, 417, 500}, func(r *rand.Rand) shot {
			return alone(request("POST", "/fhir/v2/Practitioner/_search", "_count=1", form, pick(r, "Expect: 100-continue", "Expect: the-worst", "Upgrade: websocket\r\nConnection: Upgrade", "Upgrade: h2c\r\nHTTP2-Settings: AAA\r\nConnection: Upgrade, HTTP2-Settings",
				"Range: bytes=0-,-1", "Accept-Encoding: gzip;q=nan", "Cookie: "+some(r, "JSESSIONID=a;", 200), "Te: trailers\r\nTrailer: Content-Length")))
		}},
	}
}
