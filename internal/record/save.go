package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/redact"
)

// Save writes a set to a directory, whole or not at all: beside it first, then
// in its place. What was there before is gone only when the new set is there.
func Save(dir string, set *redact.Set) error { return save(osDisk{}, dir, set) }

// disk is what Save does to a file system, so that tests can fill it up and
// pull its plug.
type disk interface {
	MkdirTemp(parent, pattern string) (string, error)
	Mkdir(path string) error
	WriteFile(path string, data []byte) error
	Publish(path string) error // makes a private directory readable, and waits until it is on the disk
	Exchange(a, b string) error
	Rename(from, to string) error
	Remove(path string) error
}

func save(d disk, dir string, set *redact.Set) error {
	dir = filepath.Clean(dir)
	exists, err := replaceable(dir)
	if err != nil {
		return err
	}
	parent, base := filepath.Split(dir)
	if parent == "" {
		parent = "."
	}
	sweep(d, parent, base)
	beside, held, err := makeBeside(d, parent, base)
	if err != nil {
		return fmt.Errorf("nothing was saved: cannot write beside %s: %w", dir, reason(err))
	}
	defer held.Close()
	defer d.Remove(beside) // the new set before it is in place, the previous one after
	if err := write(d, beside, set); err != nil {
		return fmt.Errorf("nothing was saved: cannot write the set: %w", reason(err))
	}
	if !exists {
		err = d.Rename(beside, dir)
	} else if err = d.Exchange(beside, dir); errors.Is(err, errors.ErrUnsupported) {
		err = swap(d, beside, dir)
	}
	if err != nil {
		return fmt.Errorf("nothing was saved: cannot put the set in place of %s: %w", dir, reason(err))
	}
	return d.Publish(parent)
}

// Names of directories beside a set: a new one that is being written, and a
// previous one on a file system that cannot exchange two directories.
const (
	temporary = ".recording-"
	previous  = ".previous"
)

// replaceable reports whether there is a set at dir, and refuses what is there
// and is none.
func replaceable(dir string) (exists bool, err error) {
	if err := recoverPrevious(dir); err != nil {
		return false, err
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("nothing was saved: cannot use %s: %w", dir, reason(err))
	case len(entries) == 0:
		return true, nil
	}
	for _, e := range entries {
		switch e.Name() {
		case "manifest.json", "resources", "exchanges":
			return true, nil
		}
	}
	return false, fmt.Errorf("nothing was saved: %s holds something that is no fixture set, and would be replaced: choose another directory", dir)
}

// recoverPrevious puts a previous set back that swap was interrupted over.
func recoverPrevious(dir string) error {
	aside := besideName(dir, previous)
	if _, err := os.Lstat(aside); err != nil {
		return nil
	}
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return os.Rename(aside, dir)
	}
	return nil
}

func besideName(dir, what string) string {
	parent, base := filepath.Split(dir)
	return filepath.Join(parent, "."+base+what)
}

// swap replaces a directory in two steps. Between them the previous set stands
// aside, whole; recoverPrevious puts it back.
func swap(d disk, beside, dir string) error {
	aside := besideName(dir, previous)
	if err := d.Remove(aside); err != nil {
		return err
	}
	if err := d.Rename(dir, aside); err != nil {
		return err
	}
	if err := d.Rename(beside, dir); err != nil {
		return errors.Join(err, d.Rename(aside, dir))
	}
	return d.Remove(aside)
}

// errHeld is why a directory cannot be held: another process does.
var errHeld = errors.New("another recording writes it")

// makeBeside makes a directory beside a set and holds it, so that no other
// recording takes it for one that was left; one did when it is gone by then.
func makeBeside(d disk, parent, base string) (beside string, held *os.File, err error) {
	for {
		if beside, err = d.MkdirTemp(parent, "."+base+temporary+"*"); err != nil {
			return "", nil, err
		}
		held, err = hold(beside)
		if _, gone := os.Lstat(beside); gone == nil && !errors.Is(err, errHeld) {
			return filepath.Clean(beside), held, nil
		}
		_ = held.Close()
	}
}

// sweep removes what recordings left that were killed: what nobody holds or,
// where nothing can be held, what is an hour old, which none writes that long.
func sweep(d disk, parent, base string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() || !strings.HasPrefix(e.Name(), "."+base+temporary) {
			continue
		}
		path := filepath.Join(parent, e.Name())
		held, err := hold(path)
		if err == nil || errors.Is(err, errors.ErrUnsupported) && time.Since(info.ModTime()) > time.Hour {
			_ = d.Remove(path)
		}
		_ = held.Close()
	}
}

// write writes the files of a set and reads them back as a mock server would.
func write(d disk, dir string, set *redact.Set) error {
	made := map[string]bool{dir: true}
	for name, data := range set.Files() {
		if !filepath.IsLocal(name) {
			return fmt.Errorf("%s is no name for a file of a set", name)
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := mkdirs(d, filepath.Dir(path), made); err != nil {
			return err
		}
		if err := d.WriteFile(path, data); err != nil {
			return err
		}
	}
	if len(made) == 1 {
		return errors.New("the set is empty")
	}
	for path := range made {
		if err := d.Publish(path); err != nil {
			return err
		}
	}
	if _, err := fixtures.Load(os.DirFS(dir)); err != nil {
		return fmt.Errorf("what was written is not usable: %w", err)
	}
	return nil
}

func mkdirs(d disk, path string, made map[string]bool) error {
	if made[path] || path == filepath.Dir(path) {
		return nil
	}
	if err := mkdirs(d, filepath.Dir(path), made); err != nil {
		return err
	}
	made[path] = true
	return d.Mkdir(path)
}

// reason is an error of the system without its path, and with what to do.
func reason(err error) error {
	var number syscall.Errno
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return errors.New("the disk is full: make room and record again")
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		return errors.New("the directory cannot be written to: choose another, or change its permissions")
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("the directory it is in does not exist: create it first")
	case errors.As(err, &number):
		return number
	}
	return err
}

// osDisk is the real one. Tests do not wait for it.
type osDisk struct{ lazy bool }

func (osDisk) MkdirTemp(parent, pattern string) (string, error) { return os.MkdirTemp(parent, pattern) }
func (osDisk) Mkdir(path string) error                          { return os.Mkdir(path, 0o755) }
func (osDisk) Rename(from, to string) error                     { return os.Rename(from, to) }
func (osDisk) Remove(path string) error                         { return os.RemoveAll(path) }
func (osDisk) Exchange(a, b string) error                       { return exchange(a, b) }

func (d osDisk) WriteFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if !d.lazy {
		err = errors.Join(err, f.Sync())
	}
	return errors.Join(err, f.Close())
}

func (d osDisk) Publish(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if strings.Contains(filepath.Base(path), temporary) {
		if err := os.Chmod(path, 0o755); err != nil {
			return err
		}
	}
	if d.lazy {
		return nil
	}
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, fs.ErrPermission) {
		return err // some systems cannot wait for a directory
	}
	return nil
}

// Ready reports whether Save could write to a directory, before anything is
// asked of a service.
func Ready(dir string) error {
	dir = filepath.Clean(dir)
	if _, err := replaceable(dir); err != nil {
		return err
	}
	beside, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+temporary+"*")
	if err != nil {
		return fmt.Errorf("nothing was recorded: cannot write beside %s: %w", dir, reason(err))
	}
	if err := os.Remove(beside); !errors.Is(err, fs.ErrNotExist) { // another recording may have swept it
		return err
	}
	return nil
}
