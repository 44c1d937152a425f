package cli_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkProcess starts the real program and reports how long it takes to the
// first 200, and what it then holds in memory while it idles. The goals are
// 50 ms and 25 MB.
func BenchmarkProcess(b *testing.B) {
	program := filepath.Join(b.TempDir(), "mockfhir")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/mockfhir/mockfhir/cmd/mockfhir").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	var took time.Duration
	var resident float64
	for b.Loop() {
		portFile := filepath.Join(b.TempDir(), "port")
		began := time.Now()
		cmd := exec.Command(program, "-addr", "127.0.0.1:0", "-port-file", portFile, "-log", "off")
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		port := ""
		for port == "" && time.Since(began) < 10*time.Second {
			text, _ := os.ReadFile(portFile)
			port = strings.TrimSpace(string(text))
			time.Sleep(100 * time.Microsecond)
		}
		request, err := http.NewRequest("GET", "http://127.0.0.1:"+port+"/fhir/v2/Practitioner?_count=1", nil)
		if err != nil {
			b.Fatal(err)
		}
		request.Header.Set("ESANTE-API-KEY", "mock-key")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			b.Fatal(err)
		}
		response.Body.Close()
		took += time.Since(began)
		if response.StatusCode != http.StatusOK {
			b.Fatal(response.Status)
		}
		resident += residentMB(cmd.Process.Pid)
		if err := cmd.Process.Kill(); err != nil {
			b.Fatal(err)
		}
		_ = cmd.Wait()
	}
	b.ReportMetric(float64(took.Microseconds())/1000/float64(b.N), "ms-to-first-200")
	b.ReportMetric(resident/float64(b.N), "MB-resident")
}

// residentMB is 0 where the kernel does not say.
func residentMB(pid int) float64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	kb, _ := strconv.ParseFloat(strings.Fields(after + " 0")[0], 64)
	return kb / 1024
}
