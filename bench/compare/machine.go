package compare

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// Machine describes where and when a comparison ran.
type Machine struct {
	Date              time.Time `json:"date"`
	CPU               string    `json:"cpu"`
	Cores             int       `json:"cores"`
	Go                string    `json:"go"`
	Postgres          string    `json:"postgres"`
	SynchronousCommit string    `json:"synchronous_commit"`
	Fsync             string    `json:"fsync"`
	RabbitMQ          string    `json:"rabbitmq"`
}

func thisMachine() Machine {
	return Machine{Date: time.Now().UTC().Truncate(time.Second), CPU: processor(), Cores: runtime.NumCPU(), Go: runtime.Version()}
}

// processor returns the name of the CPU, or its architecture on systems without /proc.
func processor() string {
	content, _ := os.ReadFile("/proc/cpuinfo") // missing outside Linux
	for line := range strings.Lines(string(content)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func (m Machine) String() string {
	return fmt.Sprintf("%s, %d cores of %s, Postgres %s (synchronous_commit %s, fsync %s), RabbitMQ %s, %s",
		m.Date.Format("2006-01-02 15:04 MST"), m.Cores, m.CPU, m.Postgres, m.SynchronousCommit, m.Fsync, m.RabbitMQ, m.Go)
}
