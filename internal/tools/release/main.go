// Command release builds what a release offers to download: an archive for
// each platform with both programs, their completions and every licence; a
// software bill of materials; and the checksums of all of it. The same commit
// gives the same files.
//
//	go run -C internal/tools ./release -o dist/release
package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/mockfhir/mockfhir/internal/dist"
)

var programs = []string{"mockfhir", "verify"}

const everywhere = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64"

func main() {
	root := flag.String("root", filepath.Join("..", ".."), "`directory` of the module")
	out := flag.String("o", filepath.Join("dist", "release"), "directory to write, relative to the root")
	platforms := flag.String("platforms", everywhere, "what to build for, a comma-separated `list`")
	flag.Parse()
	if !filepath.IsAbs(*out) {
		*out = filepath.Join(*root, *out)
	}
	if err := run(context.Background(), os.Stdout, *root, *out, strings.Split(*platforms, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// file is one of an archive.
type file struct {
	name    string
	mode    int64
	content []byte
}

func run(ctx context.Context, say io.Writer, root, out string, platforms []string) error {
	source, err := dist.Find(root)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(out); err != nil { // no file of an earlier release
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "mockfhir-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)

	common, modules, err := beside(ctx, source, scratch)
	if err != nil {
		return err
	}
	for _, platform := range platforms {
		goos, goarch, ok := strings.Cut(platform, "/")
		if !ok {
			return fmt.Errorf("platform %q: write it as linux/amd64", platform)
		}
		if err := archive(ctx, source, scratch, out, goos, goarch, common); err != nil {
			return err
		}
		fmt.Fprintln(say, platform)
	}
	bill, err := bill(source, modules)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "mockfhir_"+source.Version+".cdx.json"), bill, 0o644); err != nil {
		return err
	}
	return checksums(out)
}

// beside gathers what every archive holds next to the programs, and the
// modules that are linked into them, as programs for this machine tell.
func beside(ctx context.Context, source dist.Source, scratch string) ([]file, []module, error) {
	var files []file
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		content, err := os.ReadFile(filepath.Join(source.Dir, name))
		if err != nil {
			return nil, nil, err
		}
		files = append(files, file{name, 0o644, content})
	}
	var infos []*debug.BuildInfo
	for _, program := range programs {
		name := filepath.Join(scratch, program)
		if err := source.Build(ctx, name, "./cmd/"+program, runtime.GOOS, runtime.GOARCH); err != nil {
			return nil, nil, err
		}
		info, err := buildinfo.ReadFile(name)
		if err != nil {
			return nil, nil, err
		}
		infos = append(infos, info)
		for _, shell := range []string{"bash", "zsh", "fish"} {
			args := []string{"completion", shell}
			if program == "verify" {
				args[0] = "-completion"
			}
			script, err := exec.CommandContext(ctx, name, args...).Output()
			if err != nil {
				return nil, nil, fmt.Errorf("%s completion for %s: %w", program, shell, err)
			}
			files = append(files, file{"completions/" + program + "." + shell, 0o644, script})
		}
	}
	modules, err := linked(ctx, source, infos)
	if err != nil {
		return nil, nil, err
	}
	return append(files, file{"THIRD-PARTY-LICENSES", 0o644, notices(modules)}), modules, nil
}

// archive builds the programs for a platform and packs them.
func archive(ctx context.Context, source dist.Source, scratch, out, goos, goarch string, common []file) error {
	var files []file
	for _, program := range programs {
		name := program
		if goos == "windows" {
			name += ".exe"
		}
		built := filepath.Join(scratch, goos+"-"+goarch, name)
		if err := source.Build(ctx, built, "./cmd/"+program, goos, goarch); err != nil {
			return err
		}
		content, err := os.ReadFile(built)
		if err != nil {
			return err
		}
		files = append(files, file{name, 0o755, content})
	}
	files = append(files, common...)
	folder := fmt.Sprintf("mockfhir_%s_%s_%s", source.Version, goos, goarch)
	pack, extension := tarball, ".tar.gz"
	if goos == "windows" {
		pack, extension = zipped, ".zip"
	}
	packed, err := pack(folder, files)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, folder+extension), packed, 0o644)
}

// epoch is the time of all files: zip knows none before it.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

func tarball(folder string, files []file) ([]byte, error) {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(z)
	for _, f := range files {
		header := &tar.Header{Name: path.Join(folder, f.name), Mode: f.mode, Size: int64(len(f.content)), ModTime: epoch}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	err = z.Close()
	return packed.Bytes(), err
}

func zipped(folder string, files []file) ([]byte, error) {
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	for _, f := range files {
		header := &zip.FileHeader{Name: path.Join(folder, f.name), Method: zip.Deflate, Modified: epoch}
		header.SetMode(os.FileMode(f.mode))
		entry, err := w.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := entry.Write(f.content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return packed.Bytes(), err
}

// checksums lists the files of a directory as sha256sum does.
func checksums(dir string) error {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return err
	}
	var list strings.Builder
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%x  %s\n", sha256.Sum256(content), e.Name())
	}
	return os.WriteFile(filepath.Join(dir, "checksums.txt"), []byte(list.String()), 0o644)
}

// module is one that is linked into a program.
type module struct {
	path, version, sum string
	licences           []file
}

// linked are the modules of all programs, and Go itself, whose library and
// runtime are in each.
func linked(ctx context.Context, source dist.Source, infos []*debug.BuildInfo) ([]module, error) {
	goroot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	goLicences, err := licences(strings.TrimSpace(string(goroot)))
	if err != nil {
		return nil, err
	}
	modules := []module{{path: "std", version: strings.TrimPrefix(infos[0].GoVersion, "go"), licences: goLicences}}
	for _, info := range infos {
		for _, dep := range info.Deps {
			if slices.ContainsFunc(modules, func(m module) bool { return m.path == dep.Path }) {
				continue
			}
			m := module{path: dep.Path, version: dep.Version, sum: dep.Sum}
			cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", dep.Path)
			cmd.Dir = source.Dir
			dir, err := cmd.Output()
			if err != nil {
				return nil, fmt.Errorf("where is %s: %w", dep.Path, err)
			}
			if m.licences, err = licences(strings.TrimSpace(string(dir))); err != nil {
				return nil, err
			}
			if len(m.licences) == 0 {
				return nil, fmt.Errorf("%s has no licence that can be found", dep.Path)
			}
			modules = append(modules, m)
		}
	}
	slices.SortFunc(modules[1:], func(a, b module) int { return strings.Compare(a.path, b.path) })
	return modules, nil
}

// licences reads what a module says of its use.
func licences(dir string) ([]file, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []file
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if e.IsDir() || !strings.HasPrefix(name, "LICENSE") && !strings.HasPrefix(name, "LICENCE") && !strings.HasPrefix(name, "NOTICE") && !strings.HasPrefix(name, "COPYING") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		found = append(found, file{name: e.Name(), content: content})
	}
	return found, nil
}

func notices(modules []module) []byte {
	var text bytes.Buffer
	fmt.Fprintln(&text, "mockfhir contains the following, each under the terms below it.")
	for _, m := range modules {
		for _, l := range m.licences {
			fmt.Fprintf(&text, "\n%s\n%s %s: %s\n\n%s\n", strings.Repeat("=", 78), m.name(), m.version, l.name, bytes.TrimSpace(l.content))
		}
	}
	return text.Bytes()
}

func (m module) name() string {
	if m.path == "std" {
		return "Go"
	}
	return m.path
}

// bill is a CycloneDX document.
func bill(source dist.Source, modules []module) ([]byte, error) {
	type component struct {
		Type    string `json:"type"`
		Ref     string `json:"bom-ref"`
		Name    string `json:"name"`
		Version string `json:"version"`
		PURL    string `json:"purl"`
	}
	of := func(kind, path, version string) component {
		purl := "pkg:golang/" + path + "@" + version
		return component{kind, purl, path, version, purl}
	}
	var document struct {
		Format   string `json:"bomFormat"`
		Spec     string `json:"specVersion"`
		Version  int    `json:"version"`
		Metadata struct {
			Component component `json:"component"`
		} `json:"metadata"`
		Components   []component `json:"components"`
		Dependencies []struct {
			Ref       string   `json:"ref"`
			DependsOn []string `json:"dependsOn"`
		} `json:"dependencies"`
	}
	document.Format, document.Spec, document.Version = "CycloneDX", "1.6", 1
	document.Metadata.Component = of("application", "github.com/mockfhir/mockfhir", source.Version)
	document.Dependencies = make([]struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
	}, 1)
	document.Dependencies[0].Ref = document.Metadata.Component.Ref
	for _, m := range modules {
		c := of("library", m.path, m.version)
		document.Components = append(document.Components, c)
		document.Dependencies[0].DependsOn = append(document.Dependencies[0].DependsOn, c.Ref)
	}
	return json.MarshalIndent(document, "", "  ")
}
