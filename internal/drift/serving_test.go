package drift_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/contract"
	"github.com/mockfhir/mockfhir/internal/drift"
)

// authority signs certificates that the suite trusts.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of the tests"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, k := a.sign(t, template)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, a.key = cert, k
	return a
}

// sign makes a certificate, signed by itself while there is no authority.
func (a *authority) sign(t *testing.T, template *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := template, k
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &k.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return der, k
}

// leaf makes the certificate of a server: a good one, or one of the variants
// a mutation names.
func (a *authority) leaf(t *testing.T, variant string) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "server of the tests"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	signer := a
	switch variant {
	case "":
	case "expired":
		template.NotAfter = time.Now().Add(-time.Minute)
	case "self-signed":
		signer = &authority{}
	case "other-host":
		template.IPAddresses, template.DNSNames = nil, []string{"other.example.org"}
	default:
		t.Fatalf("no certificate is known as %q", variant)
	}
	der, k := signer.sign(t, template)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k}
}

// impatient does not wait.
type impatient struct{}

func (impatient) Now() time.Time { return time.Now() }

func (impatient) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// overTLS runs the suite over a socket.
func overTLS(t *testing.T, h http.Handler, a *authority, leaf tls.Certificate, http2 bool, baseline *contract.Baseline) *contract.Report {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{leaf}}
	server.EnableHTTP2 = http2
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, DisableCompression: true, ForceAttemptHTTP2: http2, MaxIdleConnsPerHost: 32,
	}
	defer transport.CloseIdleConnections()
	report, err := contract.Run(t.Context(), contract.Target{URL: server.URL + "/fhir/v2", Key: key}, contract.Options{
		Rate: contract.Unlimited, Client: transport, Clock: impatient{}, Baseline: baseline,
	})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// serve tries a mutation that is below HTTP: each variant on its own.
func (d *directory) serve(t *testing.T, c drift.Case, m *drift.Mutation) *result {
	t.Helper()
	a := newAuthority(t)
	before := d.before(t, m.Start())
	r := &result{Case: c, seed: d.seed, applied: 1}
	variants := m.Serving().Certificates
	if len(variants) == 0 {
		variants = []string{""}
	}
	for _, variant := range variants {
		if m.Serving().Renewed { // the first leaf was good as well
			if first := overTLS(t, d.service(t, m.Start()), a, a.leaf(t, ""), false, before.Learned); class(first, before) != "benign" {
				t.Errorf("before the renewal: %s", first.Reason)
			}
		}
		r.report = overTLS(t, d.service(t, m.Start()), a, a.leaf(t, variant), m.Serving().HTTP2, before.Learned)
		if r.got = class(r.report, before); r.got != c.Class {
			return r
		}
	}
	return r
}
