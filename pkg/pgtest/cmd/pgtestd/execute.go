package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// Exit codes of a shell for a command that cannot be run.
const (
	codeNotFound = 127
	codeSignal   = 128 // plus the signal's number
)

// execute runs a command, passes the signals on and returns its exit code.
func execute(args, env []string, signals <-chan os.Signal) int {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = os.Stdin, os.Stdout, os.Stderr, env
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtestd:", err)
		return codeNotFound
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			_ = cmd.Process.Signal(s) // it may have ended by now
		case err := <-ended:
			return code(err)
		}
	}
}

func code(err error) int {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		if err == nil {
			return 0
		}
		fmt.Fprintln(os.Stderr, "pgtestd:", err)
		return 1
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return codeSignal + int(status.Signal())
	}
	return exit.ExitCode()
}
