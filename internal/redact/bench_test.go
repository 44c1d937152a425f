//go:build unix

package redact

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
)

// page is a searchset of the embedded directory, about a megabyte of it.
func page() string {
	var b strings.Builder
	b.WriteString(`{"resourceType": "Bundle","type": "searchset","id": "387c9b7f-ee25-4735-a699-4e9397b98044","total":1480,"entry": [`)
	for i, r := range fixtures.Default().Resources {
		if i%2 > 0 {
			continue
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n" + `{"fullUrl":"https://gateway.example/fhir/v2/` + r.Type + "/" + r.ID + `","resource":` + r.JSON + `}`)
	}
	b.WriteString(`],"link": [ {"relation": "self","url": "https://gateway.example/fhir/v2/Practitioner"}]}`)
	return b.String()
}

// onOneCore reports the throughput by the time this process had a core, which
// a busy machine does not change.
func onOneCore(b *testing.B, bytes int, work func()) {
	b.SetBytes(int64(bytes))
	work() // what is made once is not what is measured
	before, n := cpuTime(), 0
	for b.Loop() {
		work()
		n++
	}
	b.ReportMetric(float64(n)*float64(bytes)/1e6/(cpuTime()-before).Seconds(), "MB/cpu-s")
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkBody is the throughput of redaction on one core; 50 MB/s are asked
// for. BenchmarkScan is that of the last look.
func BenchmarkBody(b *testing.B) {
	r, text := newRedactor(b, testSecret), []byte(page())
	onOneCore(b, len(text), func() {
		if len(r.body(text, "application/fhir+json")) < len(text)/2 {
			b.Fatal("half of the page is lost")
		}
	})
}

func BenchmarkScan(b *testing.B) {
	r := newRedactor(b, testSecret)
	text := r.body([]byte(page()), "application/fhir+json")
	onOneCore(b, len(text), func() {
		if err := r.scan(map[string][]byte{"resources/Practitioner.ndjson": text}, nil); err != nil {
			b.Fatal(err)
		}
	})
}
