package servers

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// clusterSettings join the nodes, and pause those that are cut off from the majority.
const clusterSettings = `
cluster_partition_handling = pause_minority
cluster_formation.peer_discovery_backend = classic_config
`

// Node is a node of a RabbitMQ cluster.
type Node struct {
	Name string
	URL  string
	Dir  string // of the process, as TESTENV_RABBITMQ_DIR
	bin  string
}

// Cluster starts a RabbitMQ cluster with so many nodes.
func (s *Session) Cluster(ctx context.Context, size int) ([]Node, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*startup)
	defer cancel()
	bin, err := findRabbitMQ()
	if err != nil {
		return nil, err
	}
	home := filepath.Join(s.dir, "cluster")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, fmt.Errorf("create the directory of the cluster: %w", err)
	}
	if err := os.WriteFile(filepath.Join(home, ".erlang.cookie"), []byte(rand.Text()), 0o400); err != nil {
		return nil, fmt.Errorf("write the cookie of the cluster: %w", err)
	}
	ports, err := freePorts(2*size + 1)
	if err != nil {
		return nil, err
	}
	mapperPort := ports[2*size]
	nodes := make([]Node, size)
	for i := range nodes {
		nodes[i] = Node{
			Name: fmt.Sprintf("testenv-%d@localhost", ports[i]), URL: fmt.Sprintf("amqp://guest:guest@127.0.0.1:%d/", ports[i]),
			Dir: filepath.Join(home, fmt.Sprintf("node-%d", i)), bin: bin,
		}
	}
	processes := make([]*process, size)
	for i := range nodes {
		env, err := configureRabbitMQ(nodes[i].Dir, ports[i], ports[size+i], mapperPort)
		if err == nil {
			env, err = nodes[i].join(env, home, nodes)
		}
		if err != nil {
			return nil, err
		}
		if i == 0 {
			mapper := &process{name: "epmd", dir: filepath.Join(nodes[i].Dir, "epmd"), argv: []string{"epmd"}, env: env}
			if err := s.start(mapper); err != nil {
				return nil, err
			}
			mapper.ready.Store(true)
		}
		argv := []string{filepath.Join(bin, "rabbitmq-server"), "-noinput"}
		processes[i] = &process{name: nodes[i].Name, dir: nodes[i].Dir, argv: argv, env: append(env, "RABBITMQ_ALLOW_INPUT=true")}
		if err := s.start(processes[i]); err != nil {
			return nil, err
		}
		// One after the other: the first node forms the cluster, and the others join it.
		if err := processes[i].await(ctx, func(ctx context.Context) error { return CheckRabbitMQ(ctx, nodes[i].URL) }); err != nil {
			return nil, err
		}
	}
	return nodes, poll(ctx, func(context.Context) error { return nodes[0].complete(size) }, nil)
}

// join adds the settings of the cluster to those of a node, and the common cookie.
func (n Node) join(env []string, home string, all []Node) ([]string, error) {
	var settings, script strings.Builder
	settings.WriteString(clusterSettings)
	for i, one := range all {
		fmt.Fprintf(&settings, "cluster_formation.classic_config.nodes.%d = %s\n", i+1, one.Name)
	}
	env[0] = "HOME=" + home
	file, err := os.OpenFile(filepath.Join(n.Dir, "rabbitmq.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("open the settings of %s: %w", n.Name, err)
	}
	defer file.Close()
	if _, err := file.WriteString(settings.String()); err != nil {
		return nil, fmt.Errorf("write the settings of %s: %w", n.Name, err)
	}
	for _, setting := range env {
		name, value, _ := strings.Cut(setting, "=")
		fmt.Fprintf(&script, "export %s='%s'\n", name, value)
	}
	return env, os.WriteFile(filepath.Join(n.Dir, "env"), []byte(script.String()), 0o600)
}

// Control runs rabbitmqctl on the node and returns its output.
func (n Node) Control(arguments ...string) (string, error) {
	script := `. "$1"; shift; exec "$@"`
	argv := append([]string{"-c", script, "sh", filepath.Join(n.Dir, "env"), filepath.Join(n.bin, "rabbitmqctl"), "--quiet"}, arguments...)
	out, err := exec.Command("/bin/sh", argv...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("rabbitmqctl %v on %s: %w: %s", arguments, n.Name, err, out)
	}
	return string(out), nil
}

// complete reports the nodes that do not run as an error.
func (n Node) complete(size int) error {
	out, err := n.Control("eval", "length(rabbit_nodes:all_running()).")
	if err == nil && strings.TrimSpace(out) != fmt.Sprint(size) {
		err = fmt.Errorf("%s of %d nodes run", strings.TrimSpace(out), size)
	}
	return err
}

// Isolate cuts the node off from the others: they refuse each other's cookies until Reunite.
func (n Node) Isolate() error {
	_, err := n.Control("eval", "[begin erlang:set_cookie(N, isolated), erlang:disconnect_node(N) end || N <- rabbit_nodes:all(), N =/= node()].")
	return err
}

// Reunite ends an Isolate.
func (n Node) Reunite(others []Node) error {
	for _, one := range others {
		if one.Name == n.Name {
			continue
		}
		if _, err := n.Control("eval", fmt.Sprintf("erlang:set_cookie('%s', erlang:get_cookie()).", one.Name)); err != nil {
			return err
		}
	}
	return nil
}
