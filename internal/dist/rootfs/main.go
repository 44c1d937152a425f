// Command rootfs lays out the programs of the image. The Dockerfile runs it in
// its builder, which needs Go and nothing else, not even a shell.
//
//	go run ./internal/dist/rootfs DIR [GOARCH]
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/mockfhir/mockfhir/internal/dist"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "rootfs:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 1 || len(args) > 2 {
		return fmt.Errorf("usage: rootfs DIR [GOARCH]")
	}
	arch := os.Getenv("TARGETARCH")
	if len(args) == 2 {
		arch = args[1]
	}
	if arch == "" {
		arch = runtime.GOARCH
	}
	source, err := dist.Find(".")
	if err != nil {
		return err
	}
	return source.Rootfs(context.Background(), args[0], arch)
}
