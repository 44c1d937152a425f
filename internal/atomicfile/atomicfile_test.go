package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestWriteIsAllOrNothing: a report that fails half-way leaves the old
// file, and nothing beside it.
func TestWriteIsAllOrNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "report")
	write := func(text string, fail error) error {
		return Write(name, func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return errors.Join(err, fail)
		})
	}
	if err := write("whole", nil); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("half-way")
	if err := write("half", broken); !errors.Is(err, broken) {
		t.Errorf("err = %v, want %v", err, broken)
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "whole" {
		t.Errorf("the file holds %q, %v; want what it held", text, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files in the directory, %v; want the report alone", len(entries), err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v; want one that a CI server can read", info.Mode(), err)
	}
}

// TestWriteFollowsLinks: the link stays, its file is replaced.
func TestWriteFollowsLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if err := Write(link, hello); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(file); string(text) != "hello\n" {
		t.Errorf("the file behind the link holds %q", text)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link is no link any more")
	}
}

// TestWriteToADevice: /dev/null must not become a file.
func TestWriteToADevice(t *testing.T) {
	t.Parallel()
	if err := Write(os.DevNull, hello); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Errorf("%s is a regular file now", os.DevNull)
	}
}

func hello(w io.Writer) error {
	_, err := fmt.Fprintln(w, "hello")
	return err
}
