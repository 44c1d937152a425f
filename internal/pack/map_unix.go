//go:build unix

package pack

import (
	"fmt"
	"os"
	"syscall"
)

// mapFile maps a file into memory, for reading alone.
func mapFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		return nil, &DamagedError{path, 0, "it is empty"}
	}
	data, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("cannot map %s into memory: %w", path, err)
	}
	return data, nil
}
