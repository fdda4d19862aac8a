package main

import (
	"fmt"
	"os"
	"os/exec"
)

func canInstall() bool {
	_, err := exec.LookPath("apt-get")
	return err == nil && os.Geteuid() == 0
}

// installServer installs Debian's postgresql package. The package lists of a
// fresh container are empty, so it tries again after an update.
func installServer() error {
	if err := apt("install", "-y", "--no-install-recommends", "postgresql"); err == nil {
		return nil
	}
	if err := apt("update"); err != nil {
		return err
	}
	return apt("install", "-y", "--no-install-recommends", "postgresql")
}

func apt(args ...string) error {
	cmd := exec.Command("apt-get", append([]string{"-q"}, args...)...)
	// In runlevel 1 the package's own service is not started.
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr // stdout is the command's
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("apt-get %s: %w", args[0], err)
	}
	return nil
}
