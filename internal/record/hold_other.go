//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd

package record

import (
	"errors"
	"os"
)

// hold is not to be had: see sweep.
func hold(dir string) (*os.File, error) { return nil, errors.ErrUnsupported }
