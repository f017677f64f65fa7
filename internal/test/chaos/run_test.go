package chaos

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

var (
	everything = flag.Bool("chaos.all", false, "run every scenario, not only the short mix")
	seedFlag   = flag.Uint64("chaos.seed", 0, "seed of the load; 0: a new one")
	rateFlag   = flag.Float64("chaos.rate", 0, "starts per second; 0: 25, and 12 in the short mix")
	lanesFlag  = flag.Int("chaos.lanes", 2, "scenarios that run concurrently")

	built       *programs
	testServers *serverPool
)

func TestMain(m *testing.M) {
	flag.Parse()
	folder, err := os.MkdirTemp("", "chaos-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built = &programs{folder: folder, built: make(map[string]error)}
	testServers = newServerPool(*lanesFlag)
	code := m.Run()
	testServers.closeAll()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// scenario is one fault: how it is caused under load, and what is expected beyond the common rules.
type scenario struct {
	number int
	name   string
	short  bool // part of the short mix
	// inject breaks something and heals it again. It returns how often it did.
	inject func(fx *fixture) int
	expect limits
	verify func(fx *fixture, e evidence) []string // what else must hold; nil: nothing

	replicas           int  // 0: 3, and 2 in the short mix
	unloaded           bool // inject starts its own sagas
	failpoints         bool // the programs are built with failpoints
	storeAway          bool // the fault keeps the replicas from the store
	damaged            bool // some rows are unreadable, and the replicas report that
	migrated           bool // arrange has migrated the schema
	arrange            func(fx *fixture)
	replicaEnvironment []string
	workerEnvironment  []string
	// servers starts servers for the scenario, if the lane's are unsuitable.
	servers func(t *testing.T, lane *serverSet) *serverSet
}

// limits are the maxima of a scenario's figures. Zero: the default.
type limits struct {
	stall    time.Duration // zero: no limit
	slowest  time.Duration // zero: no limit
	progress time.Duration // 10 s
	settled  time.Duration // 30 s
	late     time.Duration // of timers, at p99: 2 s. Timers that were due while the store was unavailable do not count
	tries    int           // of one start; zero: no limit
	refused  float64       // share of all tries of starts; zero: no limit
}

func (s scenario) replicaCount() int {
	switch {
	case s.replicas > 0:
		return s.replicas
	case *everything:
		return 3
	default:
		return 2
	}
}

func TestChaos(t *testing.T) { runAll(t, scenarios()) }

// runAll plays scenarios, several at a time, and prints their figures.
func runAll(t *testing.T, scenarios []scenario) {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64N(1 << 32)
	}
	var mu sync.Mutex
	var all []figures
	t.Run("scenarios", func(t *testing.T) {
		for _, s := range scenarios {
			if !*everything && !s.short {
				continue
			}
			t.Run(fmt.Sprintf("%d %s", s.number, s.name), func(t *testing.T) {
				t.Parallel()
				f := play(t, s, seed)
				mu.Lock()
				defer mu.Unlock()
				all = append(all, f)
			})
		}
	})
	slices.SortFunc(all, func(a, b figures) int { return a.Fault - b.Fault })
	t.Logf("seed %d, %d cores\n%s", seed, runtime.NumCPU(), table(all))
}

// play runs one scenario.
func play(t *testing.T, s scenario, seed uint64) figures {
	t.Helper()
	rate, warm := 25.0, 4*time.Second
	if !*everything {
		rate, warm = 12, 1500*time.Millisecond
	}
	if *rateFlag > 0 {
		rate = *rateFlag
	}
	f := figures{Fault: s.number, Name: s.name, Seed: seed, Rate: int(rate)}
	servers := testServers.take(t)
	if s.servers != nil {
		servers = s.servers(t, servers)
	}
	fx := newFixture(t, servers, s, seed)
	defer fx.removeQueues()
	if s.unloaded {
		f.Rate = 0
	} else {
		fx.load.begin(rate)
		fx.let(warm)
	}
	f.Injected = s.inject(fx)
	if !s.unloaded {
		fx.let(warm)
	}
	fx.load.stop()
	quiet := time.Now()
	for _, one := range fx.spells {
		require.False(t, one.healed.IsZero(), "a fault did not end")
	}
	settled := fx.settle(s.expect.settled)
	e := fx.gather()
	f.measure(e, fx.spells, quiet, s.storeAway)
	f.Refused, f.Tries = int(fx.load.refused.Load()), int(fx.load.worst.Load())
	f.Deliveries, f.Duplicates = fx.deliveries(), fx.notes("command repeated")
	f.Unscripted = fx.unscripted(e)
	f.hold(fx, e, settled)
	t.Log(f.line())
	return f
}

// settle waits until no saga can move without an operator and all queues are empty.
func (fx *fixture) settle(limit time.Duration) bool {
	patience := max(limit, 30*time.Second) + 15*time.Second
	for began := time.Now(); time.Since(began) < patience; time.Sleep(100 * time.Millisecond) {
		open := fx.count(`select count(*) from sagas where status not in ('completed', 'compensated', 'abandoned', 'stuck')`)
		if open == 0 && fx.count(`select count(*) from outbox`) == 0 && fx.empty() {
			return true
		}
	}
	return false
}

// empty reports whether the queues are empty, now and a moment later.
func (fx *fixture) empty() bool {
	for range 20 {
		messages := 0
		for _, n := range fx.depths() {
			messages += n
		}
		if messages == 0 {
			return true
		}
	}
	return false
}

// hold compares the figures with the limits, and every saga with the rules.
func (f *figures) hold(fx *fixture, e evidence, settled bool) {
	t, s := fx.t, fx.scenario
	fail := func(format string, arguments ...any) {
		f.Faults = append(f.Faults, fmt.Sprintf(format, arguments...))
	}
	violations := slices.DeleteFunc(e.Violations(), fx.unprovable)
	f.Violations = len(violations)
	for i, v := range violations {
		if i < 10 {
			fail("%s", v)
		}
	}
	if f.Injected == 0 {
		fail("the fault never happened")
	}
	if f.Duplicates == 0 && f.Sagas > 100 && !s.unloaded {
		fail("no command was delivered twice")
	}
	if !settled {
		fail("the system is not at rest")
	}
	within := func(what string, have seconds, limit, otherwise time.Duration) {
		if limit == 0 {
			limit = otherwise
		}
		if limit > 0 && time.Duration(float64(have)*float64(time.Second)) > limit {
			fail("%s took %s s, the limit is %s", what, have, limit)
		}
	}
	within("the stall", f.Stall, s.expect.stall, 0)
	within("the slowest saga", f.Slowest, s.expect.slowest, 0)
	within("the first progress", f.Progress, s.expect.progress, 10*time.Second)
	within("settling", f.Settled, s.expect.settled, 30*time.Second)
	within("a timer, at p99,", f.Late99, s.expect.late, 2*time.Second)
	if f.Early > 0 {
		fail("%d timers were early", f.Early)
	}
	if s.expect.tries > 0 && f.Tries > s.expect.tries {
		fail("a start took %d tries, the limit is %d", f.Tries, s.expect.tries)
	}
	if share := float64(f.Refused) / float64(max(1, fx.load.attempts.Load())); s.expect.refused > 0 && share > s.expect.refused {
		fail("%.1f %% of all tries of starts were refused", 100*share)
	}
	if s.verify != nil {
		f.Faults = append(f.Faults, s.verify(fx, e)...)
	}
	if unsaid := fx.load.unsaid.Load(); unsaid > 0 {
		fail("%d starts were never acknowledged", unsaid)
	}
	for id, answer := range e.answered {
		if answer.Status == saga.Stuck && !foreseen(fx.load.known[id]) {
			fail("%s is stuck, %s, for no reason in its script", id, answer.Attention.Reason)
		}
	}
	for _, p := range fx.replicas {
		n := p.says("panic")
		if !s.damaged {
			n += p.says("cannot decide on")
		}
		if n > 0 {
			fail("the log of %s reports %d defects", p.name, n)
		}
	}
	assert.Empty(t, f.Faults, "fault %d, %s", s.number, s.name)
}

// foreseen reports whether the script lets the saga wait for an operator: through a refused compensation, or a declined
// pivot with an earlier attempt lost to the fault, so that its outcome is unknown.
func foreseen(data Data) bool {
	for name, behaviour := range data.Script {
		if strings.HasSuffix(name, "/compensate") && behaviour == Reluctant {
			return true
		}
	}
	return data.Script["confirm"] == Decline
}

// unscripted counts the sagas that were compensated although every step would have succeeded in the end: the fault
// alone exhausted their attempts.
func (fx *fixture) unscripted(e evidence) int {
	n := 0
	for id, answer := range e.answered {
		if answer.Status != saga.Compensated {
			continue
		}
		fails := fx.cancelled[id] || answer.Definition == "brief" || answer.Definition == "again"
		for _, behaviour := range fx.load.known[id].Script {
			fails = fails || behaviour == Decline || behaviour == Deny
		}
		if !fails {
			n++
		}
	}
	return n
}

// deliveries returns the largest number of deliveries of a message that kills its worker.
func (fx *fixture) deliveries() int {
	return max(0, countIn(fx.ledger, `select coalesce(max(n), 0) from (
		select count(*) as n from notes where kind = 'lethal' group by command) as each`))
}

func table(all []figures) string {
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "fault\tname\tstarts/s\tsagas\tinjected\tstall s\tslowest s\tfirst progress s\tsettled s\tlate p99 s\tcompensated by it\tviolations\tpass")
	for _, f := range all {
		fmt.Fprintf(out, "%d\t%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%v\n", f.Fault, f.Name, f.Rate, f.Sagas, f.Injected,
			f.Stall, f.Slowest, f.Progress, f.Settled, f.Late99, f.Unscripted, f.Violations, len(f.Faults) == 0)
	}
	_ = out.Flush() // into memory
	return text.String()
}

// hits reads the log of the failpoints: how often each place acted.
func hits(t *testing.T, path string) map[string]int {
	t.Helper()
	content, err := os.ReadFile(filepath.Clean(path))
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	found := make(map[string]int)
	for line := range strings.SplitSeq(strings.TrimSpace(string(content)), "\n") {
		name, _, _ := strings.Cut(line, " ")
		found[name]++
	}
	return found
}
