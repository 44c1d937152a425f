package dist

import (
	"os"
	"path/filepath"
	"testing"
)

// A builder without git reads the commit from what was copied to it.
func TestCommitWithoutGit(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"detached", map[string]string{"HEAD": commit + "\n"}, commit},
		{"a branch", map[string]string{"HEAD": "ref: refs/heads/a/b\n", "refs/heads/a/b": commit + "\n"}, commit},
		{"a packed branch", map[string]string{
			"HEAD":        "ref: refs/heads/main\n",
			"packed-refs": "# pack-refs with: peeled fully-peeled sorted\nffff refs/heads/mainly\n" + commit + " refs/heads/main\n^ffff\n",
		}, commit},
		{"an unborn branch", map[string]string{"HEAD": "ref: refs/heads/main\n"}, ""},
		{"no repository", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, text := range tt.files {
				file := filepath.Join(dir, filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := headFile(dir); got != tt.want {
				t.Errorf("commit %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFindWantsTheModule(t *testing.T) {
	if _, err := Find(t.TempDir()); err == nil {
		t.Error("a directory without go.mod was taken")
	}
	t.Setenv("VERSION", "v1.2.3")
	t.Setenv("COMMIT", "abc")
	source, err := Find("../..")
	if err != nil || source.Version != "v1.2.3" || source.Commit != "abc" {
		t.Errorf("found %+v, %v; want what the environment says", source, err)
	}
}
