//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// inGroup starts a command in a group of its own, killGroup ends all of it.
func inGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
