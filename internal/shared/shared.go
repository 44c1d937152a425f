// Package shared finds the reading material (specifications, case files,
// third-party data) that lives beside the repository and never inside it.
// Only tests need it.
package shared

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Env names the variable that says where the material is. Its value is a
// directory, or "required": the default place, whose absence is then a failure.
const Env = "MOCKFHIR_SHARED"

// Dir returns the directory of the material. Without it the test is skipped
// with a word, unless MOCKFHIR_SHARED asked for it.
func Dir(t testing.TB) string {
	t.Helper()
	dir, required := os.Getenv(Env), true
	if dir == "" || dir == "required" {
		required = dir == "required"
		dir = filepath.Join(root(), "..", "shared")
	}
	if _, err := os.Stat(filepath.Join(dir, "cases")); err != nil {
		if required {
			t.Fatalf("%s=%s asks for the shared material, and %s is not there", Env, os.Getenv(Env), dir)
		}
		t.Skipf("needs the shared material at %s; set %s to its directory", dir, Env)
	}
	return dir
}

// Path returns a file of the material.
func Path(t testing.TB, elem ...string) string {
	t.Helper()
	return filepath.Join(append([]string{Dir(t)}, elem...)...)
}

// root is the module's directory, found from this source file.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}
