package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/mockfhir/mockfhir/fixtures"
	"github.com/mockfhir/mockfhir/internal/atomicfile"
	"github.com/mockfhir/mockfhir/internal/store"
	"github.com/mockfhir/mockfhir/internal/synth"
)

// generate writes a fictitious directory of any size as a fixture set. What was
// begun and stopped goes on where it stopped: each resource is a function of
// the seed and its number, so that a whole line never has to be written again.
func generate(ctx context.Context, env Env, args []string) int {
	g := generation{ctx: ctx, progress: env.Stderr}
	fs := flag.NewFlagSet("generate", flag.ContinueOnError)
	g.define(fs)
	err := parse(fs, args, nil, env.Stdout)
	switch {
	case errors.Is(err, errHelp):
		return exitOK
	case err == nil && g.dir == "":
		err = errors.New("generate needs -out DIRECTORY")
	case err == nil && g.practitioners < 0:
		err = fmt.Errorf("-practitioners %d is not valid: write a number from 0", g.practitioners)
	}
	if err != nil {
		fmt.Fprintf(env.Stderr, "mockfhir generate: %v\n", err)
		return exitUsage
	}
	g.size = national(g.practitioners)
	if g.quiet {
		g.progress = io.Discard
	}
	if err := g.run(); err != nil {
		fmt.Fprintf(env.Stderr, "mockfhir generate: %v\n", err)
		return exitFailure
	}
	fmt.Fprintf(env.Stdout, "%s: %d resources; serve them with mockfhir -fixtures %s, or pack them first: mockfhir fixtures pack %s FILE\n",
		g.dir, g.total(), g.dir, g.dir)
	return exitOK
}

// national is a directory in the proportions of the real one, which has
// 1,811,966 Practitioners, more roles than people, and some structures for
// three people (incidents.md §1; the other numbers are estimates). A few people
// have something of everything around them as well.
func national(practitioners int) synth.Size {
	return synth.Size{
		Practitioners:      practitioners,
		PractitionerRoles:  practitioners * 6 / 5,
		Organizations:      max(8, practitioners*3/10),
		HealthcareServices: max(4, practitioners/15),
		Devices:            max(4, practitioners/200),
	}
}

type generation struct {
	practitioners int
	seed          uint64
	dir           string
	quiet         bool

	ctx       context.Context
	size      synth.Size
	progress  io.Writer
	told      time.Duration // since the beginning, when progress was last told
	directory *synth.Directory
	began     time.Time
	done      int
}

func (g *generation) define(fs *flag.FlagSet) {
	fs.IntVar(&g.practitioners, "practitioners", 1800, "how many Practitioners; the other types follow in national proportions")
	fs.Uint64Var(&g.seed, "seed", 1, "same seed and size, same bytes")
	fs.StringVar(&g.dir, "out", "", "`directory` to write, which may hold what was begun before")
	fs.BoolVar(&g.quiet, "quiet", false, "no progress on standard error")
}

func (g *generation) total() int {
	n := 0
	for _, typ := range synth.Types {
		n += g.directory.Len(typ)
	}
	return n
}

func (g *generation) run() error {
	var err error
	g.directory, err = synth.New(synth.Options{Seed: g.seed, Size: g.size, Bare: true})
	if err != nil {
		return err
	}
	if err := g.begin(); err != nil {
		return err
	}
	g.began = time.Now()
	for _, typ := range synth.Types {
		if err := g.write(typ); err != nil {
			return fmt.Errorf("writing %s: %w", typ, err)
		}
	}
	fmt.Fprintf(g.progress, "\r%d resources in %s          \n", g.done, time.Since(g.began).Round(time.Second/10))
	return nil
}

// begin makes the directory, or takes up one that was begun. What says which set
// it is comes first: it tells such a directory from one of somebody else's.
func (g *generation) begin() error {
	manifest, err := json.MarshalIndent(map[string]any{
		"name": fmt.Sprintf("generated, seed %d, %d practitioners", g.seed, g.size.Practitioners), "apiVersion": "v2", "from": "fictitious", "by": "mockfhir " + Version(),
	}, "", "  ")
	if err != nil {
		return err
	}
	manifest = append(manifest, '\n')
	if err := os.MkdirAll(g.dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(g.dir)
	if err != nil {
		return err
	}
	path := filepath.Join(g.dir, "manifest.json")
	switch there, err := os.ReadFile(path); {
	case err == nil && !bytes.Equal(there, manifest):
		return fmt.Errorf("%s holds another set; choose an empty directory", g.dir)
	case err != nil && len(entries) > 0:
		return fmt.Errorf("%s holds what generate did not begin; choose an empty directory", g.dir)
	case err != nil:
		if err := atomicfile.WriteBytes(path, manifest); err != nil {
			return err
		}
	}
	return os.MkdirAll(filepath.Join(g.dir, "resources"), 0o755)
}

// write makes one file. It has another name until it is whole.
func (g *generation) write(typ string) error {
	path := filepath.Join(g.dir, "resources", typ+".ndjson")
	if _, err := os.Stat(path); err == nil {
		g.done += g.directory.Len(typ)
		return nil
	}
	part, err := os.OpenFile(path+".part", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer part.Close()
	i, err := wholeLines(part)
	if err != nil {
		return err
	}
	g.done += i
	if err := g.append(part, typ, i); err != nil {
		return fmt.Errorf("%w; the same command goes on from here", err)
	}
	if err := part.Close(); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

// append writes the resources of a type from one of them on.
func (g *generation) append(part io.Writer, typ string, i int) error {
	const chunk = 4 << 20
	buffer := make([]byte, 0, chunk+1<<14)
	for ; i < g.directory.Len(typ); i++ {
		buffer = append(g.directory.Append(buffer, typ, i), '\n')
		if g.done++; len(buffer) < chunk {
			continue
		}
		if _, err := part.Write(buffer); err != nil {
			return err
		}
		buffer = buffer[:0]
		if err := g.ctx.Err(); err != nil {
			return errors.New("interrupted")
		}
		g.tell(typ)
	}
	_, err := part.Write(buffer)
	return err
}

// tell shows how far it is, once a second: in the log of a pipeline each time is
// there to stay.
func (g *generation) tell(typ string) {
	if now := time.Since(g.began).Truncate(time.Second); now > g.told {
		g.told = now
		fmt.Fprintf(g.progress, "\r%s: %d of %d resources, %s", typ, g.done, g.total(), now)
	}
}

// wholeLines counts the lines of a file that was begun, cuts off what follows
// the last of them, and stands at the end.
func wholeLines(f *os.File) (int, error) {
	lines, end, at := 0, int64(0), int64(0)
	r := bufio.NewReaderSize(f, 1<<20)
	for {
		piece, err := r.ReadSlice('\n')
		at += int64(len(piece))
		if err == nil {
			lines, end = lines+1, at
			continue
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if !errors.Is(err, io.EOF) {
			return 0, err
		}
		break
	}
	if err := f.Truncate(end); err != nil {
		return 0, err
	}
	_, err := f.Seek(end, io.SeekStart)
	return lines, err
}

// packFixtures makes one file of a fixture set, which opens at once whatever
// its size.
func packFixtures(env Env, args []string) int {
	if len(args) != 2 {
		fmt.Fprintln(env.Stderr, "mockfhir fixtures pack: give a directory and the file to write: mockfhir fixtures pack DIR FILE")
		return exitUsage
	}
	dir, path := args[0], args[1]
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		fmt.Fprintf(env.Stderr, "mockfhir fixtures pack: %s is no directory\n", dir)
		return exitUsage
	}
	defer debug.SetGCPercent(debug.SetGCPercent(50)) // what is gathered lives long: half the garbage for a little more work
	if err := store.Pack(path, os.DirFS(dir), env.Stderr); err != nil {
		fmt.Fprintf(env.Stderr, "mockfhir fixtures pack: %v\n", err)
		return exitFailure
	}
	set, err := fixtures.LoadFile(path)
	if err != nil {
		fmt.Fprintf(env.Stderr, "mockfhir fixtures pack: %v\n", err)
		return exitFailure
	}
	size := int64(0)
	if info, err := os.Stat(path); err == nil {
		size = info.Size()
	}
	fmt.Fprintf(env.Stdout, "%s: %d resources, %d MB; serve them with mockfhir -fixtures %s\n", path, set.Count(), size>>20, path)
	return exitOK
}
