package servers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
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

// install installs Debian packages without starting services.
func install(ctx context.Context, packages ...string) error {
	say("installing %s", strings.Join(packages, " and "))
	if _, err := os.Stat(policy); errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(policy, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
			return fmt.Errorf("keep the new packages from starting services: %w", err)
		}
		defer os.Remove(policy)
	}
	arguments := []string{"install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"}
	arguments = append(arguments, packages...)
	for _, arguments := range [][]string{{"update", "-q"}, arguments} {
		cmd := exec.CommandContext(ctx, "apt-get", arguments...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", arguments[0], err, out)
		}
	}
	return nil
}

// browsers returns the programs with which the tests of the page work, the Debian package first.
func browsers() []string {
	return []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}
}

// provideTools installs the programs that tests need, if they are missing and it can: a browser for the tests of the page,
// promtool for those of the alerts, systemd-analyze for that of the unit, Redis for those of the protocol, pgbouncer for those of
// failovers, and Python with two libraries for the example worker. The tests fail if one is missing.
func provideTools(ctx context.Context) error {
	packages := unmet(append(python(), requirement{"promtool", "prometheus"}, requirement{"systemd-analyze", "systemd"},
		requirement{"redis-server", "redis-server"}, requirement{"/usr/sbin/pgbouncer", "pgbouncer"}))
	if !slices.ContainsFunc(browsers(), func(name string) bool { return requirement{what: name}.met() }) {
		packages = append(packages, browsers()[0])
	}
	if len(packages) == 0 || !canInstall() {
		return nil
	}
	return install(ctx, packages...)
}

// Install installs Debian packages whose program is missing. If it cannot, the error names them.
func Install(ctx context.Context, packages map[string]string) error {
	var missing []string
	for program, debian := range packages {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, debian)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	if !canInstall() {
		return fmt.Errorf("install %s: these tests need them", strings.Join(missing, ", "))
	}
	return install(ctx, missing...)
}
