//go:build unix

package record

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/redact"
	"github.com/mockfhir/mockfhir/mockserver"
)

const (
	testKey    = "c0ffee00-1111-4222-8333-444455556666"
	testSecret = "a secret of the tests, long enough"
)

// newSet is a small set: two exchanges and a resource.
func newSet(t testing.TB) *redact.Set {
	t.Helper()
	r, err := redact.New(redact.Options{Secret: []byte(testSecret), Keys: []string{testKey}})
	if err != nil {
		t.Fatal(err)
	}
	d := redact.NewDraft(r)
	for _, id := range []string{"002-1", "002-2"} {
		d.Add("Device/read-"+id, "", nil, redact.Raw{
			Method: http.MethodGet, Target: "/fhir/v2/Device/" + id, Header: http.Header{"Esante-Api-Key": {testKey}}, Status: http.StatusOK,
			ResponseHeader: http.Header{}, ResponseBody: []byte(`{"resourceType":"Device","id":"` + id + `","status":"active"}`),
		})
	}
	set, err := d.Seal(fixtures.Manifest{})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// failing is a disk on which the n-th thing that is done to it fails, or is the
// last one that happens.
type failing struct {
	osDisk
	at    int
	err   error
	kill  bool // the process, instead
	split bool // it cannot exchange directories
	done  *int
}

func (d failing) step() error {
	if *d.done++; *d.done != d.at {
		return nil
	}
	if d.kill {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until it arrives
	}
	return d.err
}

func (d failing) MkdirTemp(parent, pattern string) (string, error) {
	if err := d.step(); err != nil {
		return "", err
	}
	return d.osDisk.MkdirTemp(parent, pattern)
}

func (d failing) Mkdir(path string) error { return errors.Join(d.step(), d.osDisk.Mkdir(path)) }

func (d failing) WriteFile(path string, data []byte) error {
	if err := d.step(); err != nil {
		_ = d.osDisk.WriteFile(path, data[:len(data)/2]) // as a full disk does
		return err
	}
	return d.osDisk.WriteFile(path, data)
}

func (d failing) Publish(path string) error { return errors.Join(d.step(), d.osDisk.Publish(path)) }

func (d failing) Rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.osDisk.Rename(from, to)
}

func (d failing) Exchange(a, b string) error {
	if d.split {
		return errors.ErrUnsupported
	}
	if err := d.step(); err != nil {
		return err
	}
	return d.osDisk.Exchange(a, b)
}

func (d failing) Remove(path string) error {
	if d.kill {
		_ = d.step() // what cannot be removed is left, and no reason to fail
	}
	return d.osDisk.Remove(path)
}

// previousSet writes a small set whose content is known.
func previousSet(t testing.TB, dir string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "resources"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "resources", "Organization.ndjson"), []byte(`{"resourceType":"Organization","id":"001-02-40000001","active":true}`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// state tells which set is at dir: "previous", "new", or what is wrong.
func state(t testing.TB, dir string) string {
	t.Helper()
	if err := recoverPrevious(dir); err != nil {
		return err.Error()
	}
	set, err := fixtures.Load(os.DirFS(dir))
	switch {
	case err != nil:
		return err.Error()
	case len(set.Resources) == 1 && len(set.Scenarios) == 0:
		return "previous"
	case len(set.Resources) > 1 && len(set.Scenarios) > 1 && len(set.Manifest.SHA256) > len(set.Scenarios):
		return "new"
	}
	return "neither the previous set nor the new one"
}

func TestSaveReplacesTheSet(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]disk{"exchanging": osDisk{}, "swapping": failing{osDisk: osDisk{lazy: true}, done: new(int), split: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			dir := filepath.Join(root, "set")
			for _, before := range []string{"nothing", "a previous set", "the same"} {
				if before == "a previous set" {
					if err := os.RemoveAll(dir); err != nil {
						t.Fatal(err)
					}
					previousSet(t, dir)
				}
				if err := save(d, dir, newSet(t)); err != nil || state(t, dir) != "new" {
					t.Errorf("over %s: %v, %s", before, err, state(t, dir))
				}
			}
			if entries, _ := os.ReadDir(root); len(entries) != 1 {
				t.Errorf("left beside the set: %v", entries)
			}
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
				t.Errorf("%v, %v: others cannot read the set", info.Mode(), err)
			}
		})
	}
}

func TestSaveFailsWithoutHarm(t *testing.T) {
	t.Parallel()
	for _, split := range []bool{false, true} {
		for _, failure := range []error{syscall.ENOSPC, syscall.EROFS, syscall.EIO} {
			root := t.TempDir()
			dir := filepath.Join(root, "set")
			previousSet(t, dir)
			steps := 0
			for ; ; steps++ {
				err := save(failing{osDisk: osDisk{lazy: true}, at: steps + 1, err: failure, split: split, done: new(int)}, dir, newSet(t))
				got := state(t, dir)
				if got == "new" && steps > 12 { // at the end only the wait for the disk fails
					break
				}
				if err == nil || got != "previous" {
					t.Fatalf("%v at step %d: %v, and now there is %s", failure, steps+1, err, got)
				}
				if !strings.HasPrefix(err.Error(), "nothing was saved: ") || strings.Contains(err.Error(), root+"/.") {
					t.Fatalf("%v at step %d: %q is no sentence for a person", failure, steps+1, err)
				}
				if entries, _ := os.ReadDir(root); len(entries) != 1 {
					t.Fatalf("%v at step %d leaves %v", failure, steps+1, entries)
				}
			}
		}
	}
}

func TestSaveRefusesWhatIsNoSet(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, refused := range map[string]bool{"empty": false, "photos": true, "file": true, "missing/set": true} {
		dir := filepath.Join(root, name)
		switch name {
		case "empty":
			_ = os.Mkdir(dir, 0o755)
		case "photos":
			_ = os.Mkdir(dir, 0o755)
			_ = os.WriteFile(filepath.Join(dir, "cat.jpg"), nil, 0o644)
		case "file":
			_ = os.WriteFile(dir, nil, 0o644)
		}
		ready := Ready(dir)
		err := Save(dir, newSet(t))
		if (err != nil) != refused || (ready != nil) != refused {
			t.Errorf("%s: %v, and before recording %v", name, err, ready)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "photos", "cat.jpg")); err != nil {
		t.Error(err)
	}
	if err := Save(filepath.Join(root, "zero"), new(redact.Set)); err == nil {
		t.Error("a set that nothing redacted was saved")
	}
}

func TestSaveInADirectoryThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "locked")
	previousSet(t, filepath.Join(root, "set"))
	if err := os.Chmod(root, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(root, 0o700)
	err := Save(filepath.Join(root, "set"), newSet(t))
	if os.Getuid() == 0 { // root writes everywhere: see TestSaveFailsWithoutHarm
		if err != nil {
			t.Error(err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), "cannot be written to") || state(t, filepath.Join(root, "set")) != "previous" {
		t.Errorf("%v, %s", err, state(t, filepath.Join(root, "set")))
	}
}

// Environment of a test binary that records and is killed.
const (
	victimDir    = "MOCKFHIR_TEST_VICTIM"
	victimTarget = "MOCKFHIR_TEST_TARGET"
	victimStep   = "MOCKFHIR_TEST_STEP"
	victimSplit  = "MOCKFHIR_TEST_SPLIT"
)

// TestMain is also the victim: a whole recording that kills itself at a step
// on the disk, or waits to be killed.
func TestMain(m *testing.M) {
	dir := os.Getenv(victimDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	base, err := ParseTarget(os.Getenv(victimTarget))
	if err != nil {
		panic(err)
	}
	at, _ := strconv.Atoi(os.Getenv(victimStep))
	set, err := Walk(context.Background(), Options{Target: Target{base, testKey}, Secret: []byte(testSecret)})
	if err == nil {
		err = save(failing{osDisk: osDisk{lazy: true}, at: at, kill: true, split: os.Getenv(victimSplit) != "", done: new(int)}, dir, set)
	}
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}

// victim starts a recording in a process of its own.
func victim(t *testing.T, dir, target string, step int, split bool) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), victimDir+"="+dir, victimTarget+"="+target, victimStep+"="+strconv.Itoa(step))
	if split {
		cmd.Env = append(cmd.Env, victimSplit+"=1")
	}
	cmd.Stderr = new(strings.Builder)
	return cmd
}

// kills is how many recordings are killed at any time, and at which of their
// steps on the disk others are. The renames are among the last ones.
func kills(steps int) (times int, at []int) {
	times, at = 4, []int{2, steps / 2}
	if os.Getenv("MOCKFHIR_HEAVY") != "" {
		times, at = 60, nil
		for step := 1; step < steps-5; step++ {
			at = append(at, step)
		}
	}
	for step := steps - 5; step <= steps+1; step++ {
		at = append(at, step)
	}
	return times, at
}

func TestAKilledRecordingLeavesASetWhole(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(mockserver.New(fixtures.Default(), mockserver.WithKeys(testKey), mockserver.WithRate("0")))
	t.Cleanup(server.Close)
	target := server.URL + "/fhir/v2"

	for _, split := range []bool{false, true} {
		t.Run(fmt.Sprintf("at a step on the disk, in two renames %v", split), func(t *testing.T) {
			t.Parallel()
			base, err := ParseTarget(target)
			if err != nil {
				t.Fatal(err)
			}
			set, err := Walk(context.Background(), Options{Target: Target{base, testKey}, Secret: []byte(testSecret)})
			if err != nil {
				t.Fatal(err)
			}
			done := new(int)
			dir := filepath.Join(t.TempDir(), "set")
			previousSet(t, dir)
			if err := save(failing{osDisk: osDisk{lazy: true}, done: done, split: split, kill: true}, dir, set); err != nil {
				t.Fatal(err)
			}
			_, steps := kills(*done)
			seen := map[string]int{}
			for _, step := range steps {
				dir := filepath.Join(t.TempDir(), "set")
				previousSet(t, dir)
				err := victim(t, dir, target, step, split).Run()
				got := state(t, dir)
				if seen[got]++; got != "previous" && got != "new" {
					t.Fatalf("killed at step %d: %s", step, got)
				}
				if (err == nil) != (step > *done) {
					t.Errorf("killed at step %d of %d: %v", step, *done, err)
				}
				checkBeside(t, dir)
			}
			if seen["previous"] < 4 || seen["new"] < 2 {
				t.Errorf("%v: too few to tell anything", seen)
			}
		})
	}
	t.Run("at any time", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "set")
		previousSet(t, dir)
		times, _ := kills(0)
		began := time.Now()
		if err := victim(t, filepath.Join(t.TempDir(), "set"), target, 0, false).Run(); err != nil {
			t.Fatal(err)
		}
		whole := time.Since(began)
		for i := range times {
			cmd := victim(t, dir, target, 0, i%2 == 1)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(whole * time.Duration(i+1) / time.Duration(times))
			signal := syscall.SIGKILL
			if i%4 == 3 {
				signal = syscall.SIGQUIT // which prints what every goroutine was doing
			}
			_ = cmd.Process.Signal(signal)
			_ = cmd.Wait()
			if got := state(t, dir); got != "previous" && got != "new" {
				t.Fatalf("killed after %v of %v: %s", whole*time.Duration(i+1)/time.Duration(times), whole, got)
			}
			for _, secret := range []string{testKey, testSecret, "BERGERE", "19000000018"} {
				if strings.Contains(cmd.Stderr.(*strings.Builder).String(), secret) {
					t.Errorf("the crash output holds %q", secret)
				}
			}
		}
	})
}

// checkBeside looks at what a killed recording left beside the set: nothing
// that is not redacted, and nothing the next one stumbles over.
func checkBeside(t *testing.T, dir string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(filepath.Dir(dir)), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name))
		if strings.Contains(string(text), testKey) || strings.Contains(string(text), "BERGERE") {
			t.Errorf("%s is not redacted", name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if err := save(osDisk{lazy: true}, dir, newSet(t)); err != nil || state(t, dir) != "new" {
		t.Errorf("recording again: %v, %s", err, state(t, dir))
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".set"+temporary+"*")); len(left) > 0 {
		t.Errorf("recording again leaves %v", left)
	}
}

// meeting is a disk on which another recording to the same place begins and
// ends when one is about to be put there.
type meeting struct {
	osDisk
	other func()
}

func (d meeting) Exchange(a, b string) error {
	d.other()
	return d.osDisk.Exchange(a, b)
}

func TestTwoRecordingsAtOnce(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dir := filepath.Join(root, "set")
	previousSet(t, dir)
	met := false
	err := save(meeting{osDisk{lazy: true}, func() {
		met = true
		if err := save(osDisk{lazy: true}, dir, newSet(t)); err != nil {
			t.Error(err)
		}
	}}, dir, newSet(t))
	if err != nil || !met || state(t, dir) != "new" {
		t.Errorf("%v, met %v, %s", err, met, state(t, dir))
	}
	if entries, _ := os.ReadDir(root); len(entries) != 1 {
		t.Errorf("left beside the set: %v", entries)
	}
}
