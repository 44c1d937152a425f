// Package dist builds what is shipped: the programs in releases and in the
// image, always with the same flags, so that the same commit gives the same
// bytes wherever it is built. The Dockerfile and the Makefile call it.
package dist

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const module = "github.com/mockfhir/mockfhir"

// Toolchain is the one that the same commit gives the same bytes with. Go
// fetches it where another is installed.
const Toolchain = "go1.26.8"

// Source is a working copy and what it is called.
type Source struct {
	Dir             string // of the module
	Version, Commit string
}

// Find describes the working copy in a directory. The environment variables
// VERSION and COMMIT go first; a repository is asked by git, or where git is
// not installed read from what a Dockerfile copies of it.
func Find(dir string) (Source, error) {
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		return Source{}, fmt.Errorf("%s is not the module's directory: %w", dir, err)
	}
	head := git(dir, "rev-parse", "HEAD")
	if head == "" {
		head = headFile(filepath.Join(dir, ".git"))
	} else if git(dir, "status", "--porcelain") != "" {
		head += " with changes"
	}
	return Source{
		Dir:     dir,
		Version: cmp.Or(os.Getenv("VERSION"), git(dir, "describe", "--tags", "--match", "v*"), "devel"),
		Commit:  cmp.Or(os.Getenv("COMMIT"), head, "unknown"),
	}, nil
}

// git is "" where git, or the repository, is absent.
func git(dir string, args ...string) string {
	out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// headFile reads the commit that HEAD names in a .git directory.
func headFile(gitDir string) string {
	text, err := os.ReadFile(filepath.Join(gitDir, "HEAD"))
	if err != nil {
		return ""
	}
	ref, symbolic := strings.CutPrefix(strings.TrimSpace(string(text)), "ref: ")
	if !symbolic {
		return ref
	}
	if text, err = os.ReadFile(filepath.Join(gitDir, filepath.FromSlash(ref))); err == nil {
		return strings.TrimSpace(string(text))
	}
	packed, err := os.ReadFile(filepath.Join(gitDir, "packed-refs"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(packed)) {
		if commit, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == ref {
			return commit
		}
	}
	return ""
}

// Build compiles a package of the module into a file, without C and without a
// path of this machine.
func (s Source) Build(ctx context.Context, file, pkg, goos, goarch string) error {
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	set := func(name, value string) string { return fmt.Sprintf("-X '%s/%s=%s'", module, name, value) }
	ldflags := strings.Join([]string{
		"-s", "-w", "-buildid=",
		set("internal/build.version", s.Version),
		set("internal/build.commit", s.Commit),
		set("contract.Version", s.Version),
	}, " ")
	overlay, remove, err := s.packed()
	if err != nil {
		return err
	}
	defer remove()
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", "packed", "-overlay", overlay, "-ldflags", ldflags, "-o", file, pkg)
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	if os.Getenv("GOTOOLCHAIN") == "" {
		cmd.Env = append(cmd.Env, "GOTOOLCHAIN="+Toolchain)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s for %s/%s: %w\n%s", pkg, goos, goarch, err, out)
	}
	return nil
}

// packed puts the fixtures into the zip file that the build tag packed embeds,
// and compresses the baseline, and tells the compiler where they are: nothing
// is written into the source.
func (s Source) packed() (overlay string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "mockfhir-dist-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			remove()
		}
	}()
	file := filepath.Join(dir, "data.zip")
	packed, err := Zip(os.DirFS(filepath.Join(s.Dir, "fixtures")), "data")
	if err != nil {
		return "", nil, err
	}
	if err := os.WriteFile(file, packed, 0o600); err != nil {
		return "", nil, err
	}
	embedded, err := filepath.Abs(filepath.Join(s.Dir, "fixtures", "data.zip"))
	if err != nil {
		return "", nil, err
	}
	baseline, err := filepath.Abs(filepath.Join(s.Dir, "contract", "baseline.json"))
	if err != nil {
		return "", nil, err
	}
	compressed := filepath.Join(dir, "baseline.json.gz")
	if err := compress(compressed, baseline); err != nil {
		return "", nil, err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {embedded: file, baseline: compressed}})
	if err != nil {
		return "", nil, err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, remove, os.WriteFile(overlay, text, 0o600)
}

// Zip packs the files below a directory: the same files give the same bytes.
func Zip(fsys fs.FS, dir string) ([]byte, error) {
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.BestCompression)
	})
	err := fs.WalkDir(fsys, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		file, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		if err != nil {
			return err
		}
		_, err = file.Write(text)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = w.Close() // which writes the list of files
	return packed.Bytes(), err
}

// Rootfs lays out the programs of the image below a directory. Both names are
// one file: it holds what the two have in common once, and stays small.
func (s Source) Rootfs(ctx context.Context, dir, goarch string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := s.Build(ctx, filepath.Join(dir, "mockfhir"), "./internal/allinone", "linux", goarch); err != nil {
		return err
	}
	link := filepath.Join(dir, "verify")
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Symlink("mockfhir", link)
}

// compress writes a file as gzip: the same file gives the same bytes.
func compress(to, from string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	return os.WriteFile(to, packed.Bytes(), 0o600)
}
