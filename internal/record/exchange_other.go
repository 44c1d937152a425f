//go:build !linux

package record

import "errors"

// exchange is not to be had: see swap.
func exchange(a, b string) error { return errors.ErrUnsupported }
