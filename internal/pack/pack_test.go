package pack

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// write makes a file of three sections, one of them of several blocks.
func write(t *testing.T) (path string, large []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "set.mockfhir")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	large = bytes.Repeat([]byte("0123456789abcde\n"), 3*blockSize/16+5)
	for _, err := range []error{
		w.Section("numbers", Bytes([]uint32{1, 2, 3})),
		w.Section("large", large),
		w.Section("empty", nil),
		w.Close(map[string]string{"name": "test"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return path, large
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	path, large := write(t)
	if !IsPacked(path) {
		t.Error("it does not look packed")
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := Cast[uint32](f.Section("numbers")); len(got) != 3 || got[0] != 1 || got[2] != 3 {
		t.Errorf("numbers: %v", got)
	}
	f.Check("large", blockSize-1, 2*blockSize+1)
	if !bytes.Equal(f.Section("large"), large) || len(f.Section("empty")) != 0 || f.Section("no such") != nil {
		t.Error("sections are not what was written")
	}
	if string(f.About()) != `{"name":"test"}` {
		t.Errorf("about: %s", f.About())
	}
	if err := f.Verify(); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".mockfhir-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestTruncated cuts the file everywhere that matters: it is never opened.
func TestTruncated(t *testing.T) {
	t.Parallel()
	path, _ := write(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, preamble - 1, preamble, preamble + 10, headerRoom, headerRoom + 10, len(whole) / 2, len(whole) - 1} {
		cut := filepath.Join(t.TempDir(), "cut")
		if err := os.WriteFile(cut, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(cut)
		var damaged *DamagedError
		if !errors.As(err, &damaged) {
			t.Errorf("cut at %d: %v", size, err)
		} else if !strings.Contains(err.Error(), "at byte") {
			t.Errorf("cut at %d: no offset in %q", size, err)
		}
	}
}

// TestLengthened appends to the file: what verifies a file verifies its length.
func TestLengthened(t *testing.T) {
	t.Parallel()
	path, _ := write(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, more := range []string{"\x00", "junk", strings.Repeat("x", 2*blockSize)} {
		if err := os.WriteFile(path, append(bytes.Clone(whole), more...), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		var damaged *DamagedError
		if !errors.As(err, &damaged) || damaged.Offset != uint64(len(whole)) {
			t.Errorf("with %d bytes more: %v", len(more), err)
		}
	}
}

// TestOtherVersion: a file of the version before is refused with a word.
func TestOtherVersion(t *testing.T) {
	t.Parallel()
	path, _ := write(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole[len(magic)] = 1
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.HasSuffix(err.Error(), "has version 1 of the format, this program reads 2; pack it again") {
		t.Errorf("version 1: %v", err)
	}
}

// TestAboutIsLarge: what a set says of itself may be larger than the room for
// the header, as the exchanges of a recording are.
func TestAboutIsLarge(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "set")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `"` + strings.Repeat("exchange", headerRoom/4) + `"`
	if err := w.Close(json.RawMessage(want)); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil || string(f.About()) != want {
		t.Errorf("it does not come back: %v", err)
	}
}

// TestFlippedBits changes one bit at a time: it is found at open in the header,
// the sums and what the set says of itself, at the first read of its block elsewhere, with its offset.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	path, _ := write(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]uint64{
		"header":  uint64(preamble + 3),
		"sums":    f.header.Sums.Offset,
		"about":   f.sections[about].Offset + 3,
		"numbers": f.sections["numbers"].Offset + 4,
		"large":   f.sections["large"].Offset + 2*blockSize + 7,
	} {
		changed := bytes.Clone(whole)
		changed[at] ^= 4
		bad := filepath.Join(t.TempDir(), "bad")
		if err := os.WriteFile(bad, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		var damaged *DamagedError
		f, err := Open(bad)
		if name == "header" || name == "sums" || name == about {
			if !errors.As(err, &damaged) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := f.Verify(); !errors.As(err, &damaged) {
			t.Errorf("%s: Verify says %v", name, err)
		}
		if name == "large" {
			f.Check("large", 0, blockSize) // the blocks before are whole
			func() {
				defer func() {
					if err, ok := recover().(error); !ok || !errors.As(err, &damaged) || damaged.Offset != f.sections["large"].Offset+2*blockSize {
						t.Errorf("reading the block: %v", err)
					}
				}()
				f.Check("large", 2*blockSize+1, 2*blockSize+2)
			}()
		}
	}
}

// What is verified ahead is not verified again, and damage is told to who reads
// there, not before.
func TestAhead(t *testing.T) {
	t.Parallel()
	path, large := write(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	section := f.sections["large"]
	whole[section.Offset+2*blockSize+7] ^= 4
	if err := os.WriteFile(path+".bad", whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err = Open(path + ".bad"); err != nil {
		t.Fatal(err)
	}
	f.Ahead("large", 10, uint64(2*len(large))) // beyond the end is none
	for deadline := time.Now().Add(time.Minute); f.ahead.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not end")
		}
	}
	first := f.first["large"]
	if f.verified[first].Load() == 0 || f.verified[first+1].Load() == 0 || f.verified[first+2].Load() != 0 {
		t.Error("not the two blocks before the damage")
	}
	defer func() {
		var damaged *DamagedError
		if err, ok := recover().(error); !ok || !errors.As(err, &damaged) {
			t.Errorf("reading what is damaged: %v", err)
		}
	}()
	f.Check("large", 2*blockSize, 2*blockSize+1)
}

func TestOtherFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.ndjson")
	if err := os.WriteFile(path, []byte(strings.Repeat(`{"resourceType":"Device"}`, 10)), 0o600); err != nil {
		t.Fatal(err)
	}
	if IsPacked(path) || IsPacked(path+".nope") {
		t.Error("looks packed")
	}
	if _, err := Open(path); err == nil {
		t.Error("opened")
	}
}

// TestAbort leaves nothing.
func TestAbort(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "set")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Section("a", []byte("b")); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
