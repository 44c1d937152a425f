//go:build !unix

package pack

import "os"

// mapFile reads the file where it cannot be mapped.
func mapFile(path string) ([]byte, error) { return os.ReadFile(path) }
