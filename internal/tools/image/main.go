// Command image writes the image of the Dockerfile without a container engine:
// one archive with every platform in it. The same commit gives the same bytes,
// on any machine.
//
//	go run -C internal/tools ./image -o dist/mockfhir-image.tar
//
// The archive is an OCI layout, which registries' tools and current engines
// read, and carries a manifest.json as well, for docker load of older ones.
package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/mockfhir/mockfhir/internal/dist"
)

// imageName is what the image is called once it is loaded.
const imageName = "mockfhir"

// epoch is the time of everything in the image: there is no other that two
// machines agree on.
var epoch = time.Unix(0, 0).UTC()

func main() {
	root := flag.String("root", filepath.Join("..", ".."), "`directory` of the module")
	out := flag.String("o", filepath.Join("dist", "mockfhir-image.tar"), "archive to write, relative to the root")
	platforms := flag.String("platforms", "amd64,arm64", "architectures, a comma-separated `list`")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *root, *out, strings.Split(*platforms, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, say io.Writer, root, out string, arches []string) error {
	source, err := dist.Find(root)
	if err != nil {
		return err
	}
	if !filepath.IsAbs(out) {
		out = filepath.Join(root, out)
	}
	images := map[string]v1.Image{}
	for _, arch := range arches {
		if images[arch], err = build(ctx, source, arch); err != nil {
			return err
		}
	}
	digest, err := write(out, source.Version, images)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(say, "%s %s\n", digest, out)
	return err
}

// build makes the image of one architecture: the programs, the certificates,
// and what the Dockerfile says of them.
func build(ctx context.Context, source dist.Source, arch string) (v1.Image, error) {
	dir, err := os.MkdirTemp("", "mockfhir-image-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := source.Rootfs(ctx, dir, arch); err != nil {
		return nil, err
	}
	files, err := layerOf(os.DirFS(dir))
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(files)), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	dockerfile, err := os.ReadFile(filepath.Join(source.Dir, "Dockerfile"))
	if err != nil {
		return nil, err
	}
	config, err := configOf(string(dockerfile), map[string]string{"VERSION": source.Version, "COMMIT": source.Commit})
	if err != nil {
		return nil, fmt.Errorf("in the Dockerfile: %w", err)
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if image, err = mutate.ConfigFile(image, &v1.ConfigFile{
		Architecture: arch, OS: "linux", Created: v1.Time{Time: epoch}, Config: config, RootFS: v1.RootFS{Type: "layers"},
	}); err != nil {
		return nil, err
	}
	return mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "make image"}})
}

// layerOf packs the files of the image: those of a directory, and certificates
// that are pinned in go.mod, as those of the machine are not.
func layerOf(rootfs fs.FS) ([]byte, error) {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	add := func(h tar.Header, content []byte) error {
		h.Size, h.ModTime, h.Format = int64(len(content)), epoch, tar.FormatPAX
		if err := w.WriteHeader(&h); err != nil {
			return err
		}
		_, err := w.Write(content)
		return err
	}
	for _, dir := range []string{"etc/", "etc/ssl/", "etc/ssl/certs/"} {
		if err := add(tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o755}, nil); err != nil {
			return nil, err
		}
	}
	if err := add(tar.Header{Name: "etc/ssl/certs/ca-certificates.crt", Typeflag: tar.TypeReg, Mode: 0o644}, certificates()); err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(rootfs, ".") // sorted
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		header, content := tar.Header{Name: e.Name(), Typeflag: tar.TypeReg, Mode: 0o755}, []byte(nil)
		if e.Type()&fs.ModeSymlink != 0 {
			header.Typeflag = tar.TypeSymlink
			header.Linkname, err = fs.ReadLink(rootfs, e.Name())
		} else {
			content, err = fs.ReadFile(rootfs, e.Name())
		}
		if err != nil {
			return nil, err
		}
		if err := add(header, content); err != nil {
			return nil, err
		}
	}
	return packed.Bytes(), w.Close()
}

// certificates are Mozilla's roots, as PEM. Those that browsers trust with a
// condition are left out: a bundle cannot carry the condition.
func certificates() []byte {
	var text bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return text.Bytes()
}

// write stores the images in one archive and returns the digest of the index
// that lists them.
func write(file, version string, images map[string]v1.Image) (v1.Hash, error) {
	var index v1.ImageIndex = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	var legacy []legacyManifest
	for _, arch := range sorted(images) {
		image := images[arch]
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "linux", Architecture: arch},
		}})
		entry, err := legacyEntry(image, imageName+":"+version+"-"+arch)
		if err != nil {
			return v1.Hash{}, err
		}
		legacy = append(legacy, entry)
	}
	digest, err := index.Digest()
	if err != nil {
		return v1.Hash{}, err
	}
	dir, err := os.MkdirTemp("", "mockfhir-layout-")
	if err != nil {
		return v1.Hash{}, err
	}
	defer os.RemoveAll(dir)
	outer := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{
		Add: index, Descriptor: v1.Descriptor{Annotations: map[string]string{
			"io.containerd.image.name":          "docker.io/library/" + imageName + ":" + version,
			"org.opencontainers.image.ref.name": version,
		}},
	})
	if _, err := layout.Write(dir, outer); err != nil {
		return v1.Hash{}, err
	}
	text, err := json.Marshal(legacy)
	if err != nil {
		return v1.Hash{}, err
	}
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), text, 0o600); err != nil {
		return v1.Hash{}, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return v1.Hash{}, err
	}
	return digest, archive(file, os.DirFS(dir))
}

// legacyManifest is an entry of the manifest.json that docker save wrote before
// it wrote OCI layouts.
type legacyManifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func legacyEntry(image v1.Image, tag string) (legacyManifest, error) {
	blob := func(h v1.Hash) string { return path.Join("blobs", h.Algorithm, h.Hex) }
	manifest, err := image.Manifest()
	if err != nil {
		return legacyManifest{}, err
	}
	entry := legacyManifest{Config: blob(manifest.Config.Digest), RepoTags: []string{tag}}
	for _, layer := range manifest.Layers {
		entry.Layers = append(entry.Layers, blob(layer.Digest))
	}
	return entry, nil
}

// archive writes the files of a directory as a tar archive, in order.
func archive(file string, fsys fs.FS) error {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content)), ModTime: epoch}); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	if err := cmp.Or(err, w.Close()); err != nil {
		return err
	}
	return os.WriteFile(file, packed.Bytes(), 0o644)
}

func sorted(images map[string]v1.Image) []string {
	var arches []string
	for arch := range images {
		arches = append(arches, arch)
	}
	slices.Sort(arches)
	return arches
}
