package servers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
)

// policy is the script that Debian calls before it starts a service. This policy keeps new packages
// from starting services.
const policy = "/usr/sbin/policy-rc.d"

// canInstall reports whether packages can be installed without a prompt.
func canInstall() bool {
	_, noDebian := os.Stat("/etc/debian_version")
	_, noApt := exec.LookPath("apt-get")
	return os.Geteuid() == 0 && noDebian == nil && noApt == nil
}

// install installs the Debian packages of the servers without starting them.
func install(ctx context.Context, missing []server) error {
	say("installing %s", list(missing, packageOf))
	if _, err := os.Stat(policy); errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(policy, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
			return fmt.Errorf("keep the new packages from starting services: %w", err)
		}
		defer os.Remove(policy)
	}
	arguments := []string{"install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"}
	for _, server := range missing {
		arguments = append(arguments, server.debian)
	}
	for _, arguments := range [][]string{{"update", "-q"}, arguments} {
		cmd := exec.CommandContext(ctx, "apt-get", arguments...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", arguments[0], err, out)
		}
	}
	return nil
}
