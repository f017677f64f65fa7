package servers

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// imagePull is how long Docker may take to fetch an image.
const imagePull = 10 * time.Minute

// image describes a server in a container.
type image struct {
	name      string
	port      int
	options   []string // for docker run
	arguments []string // for the server
	url       string   // with a placeholder for the port
}

// hasDocker reports whether a Docker engine is available.
func hasDocker(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return exec.CommandContext(ctx, "docker", "info").Run() == nil
}

// startContainer starts a server in a container that is removed when the session closes.
func startContainer(ctx context.Context, s *Session, v server) (map[string]string, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	name := filepath.Base(s.dir) + "-" + v.debian
	s.onClose(func() {
		if out, err := exec.Command("docker", "rm", "-f", "-v", name).CombinedOutput(); err != nil {
			say("remove the container of %s: %v\n%s", v.name, err, out)
		}
	})
	run := []string{"run", "-d", "--name", name, "-p", fmt.Sprintf("127.0.0.1:%d:%d", port, v.image.port)}
	run = slices.Concat(run, v.image.options, []string{v.image.name}, v.image.arguments)
	say("starting %s in a container", v.name)
	if out, err := exec.CommandContext(ctx, "docker", run...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("run %s in a container: %w\n%s", v.name, err, out)
	}
	url := fmt.Sprintf(v.image.url, port)
	if err := poll(ctx, func(ctx context.Context) error { return v.check(ctx, url) }, nil); err != nil {
		return nil, fmt.Errorf("%s does not start in its container: %w", v.name, err)
	}
	return map[string]string{v.variable: url}, nil
}
