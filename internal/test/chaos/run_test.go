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
	lanesFlag  = flag.Int("chaos.lanes", 2, "scenarios that run side by side")

	built   *programs
	grounds *arenas
)

func TestMain(m *testing.M) {
	flag.Parse()
	folder, err := os.MkdirTemp("", "chaos-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built = &programs{folder: folder, built: make(map[string]error)}
	grounds = newArenas(*lanesFlag)
	code := m.Run()
	grounds.closeAll()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// scenario is one fault: how it is brought about under load, and what is expected beyond what every scenario is held to.
type scenario struct {
	number int
	name   string
	short  bool // part of the short mix
	// inject breaks something and heals it again, and says how often it did.
	inject func(w *world) int
	expect limits
	verify func(w *world, e evidence) []string // what else must hold; nil: nothing

	replicas           int  // 0: 3, and 2 in the short mix
	unloaded           bool // inject brings its own sagas
	failpoints         bool // the programs are built with them
	storeAway          bool // the fault keeps the replicas from the store
	damaged            bool // some rows cannot be read, and the replicas say so
	arrange            func(w *world)
	replicaEnvironment []string
	workerEnvironment  []string
	// ground makes servers of the scenario's own, of what the lane's cannot be made to do.
	ground func(t *testing.T, lane *arena) *arena
}

// limits are what a scenario's figures may be at most. Zero: what holds for all.
type limits struct {
	stall    time.Duration // zero: not judged
	slowest  time.Duration // zero: not judged
	progress time.Duration // 10 s
	settled  time.Duration // 30 s
	late     time.Duration // of timers, at p99: 2 s. Those due while the store was away are not counted
	tries    int           // of one start; zero: not judged
	refused  float64       // share of all tries of starts; zero: not judged
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

func TestChaos(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64N(1 << 32)
	}
	var mu sync.Mutex
	var all []figures
	t.Run("scenarios", func(t *testing.T) {
		for _, s := range scenarios() {
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
	ground := grounds.take(t)
	if s.ground != nil {
		ground = s.ground(t, ground)
	}
	w := newWorld(t, ground, s, seed)
	defer w.removeQueues()
	if s.unloaded {
		f.Rate = 0
	} else {
		w.load.begin(rate)
		w.let(warm)
	}
	f.Injected = s.inject(w)
	if !s.unloaded {
		w.let(warm)
	}
	w.load.stop()
	quiet := time.Now()
	for _, one := range w.spells {
		require.False(t, one.healed.IsZero(), "a fault was not healed")
	}
	settled := w.settle(s.expect.settled)
	e := w.gather()
	f.measure(e, w.spells, quiet, s.storeAway)
	f.Refused, f.Tries = int(w.load.refused.Load()), int(w.load.worst.Load())
	f.Deliveries, f.Duplicates = w.deliveries(), w.notes("command repeated")
	f.Unscripted = w.unscripted(e)
	f.hold(w, e, settled)
	t.Log(f.line())
	return f
}

// settle waits until no saga can move any more without a person and nothing is under way.
func (w *world) settle(limit time.Duration) bool {
	patience := max(limit, 30*time.Second) + 15*time.Second
	for began := time.Now(); time.Since(began) < patience; time.Sleep(100 * time.Millisecond) {
		open := w.count(`select count(*) from sagas where status not in ('completed', 'compensated', 'abandoned', 'stuck')`)
		if open == 0 && w.count(`select count(*) from outbox`) == 0 && w.empty() {
			return true
		}
	}
	return false
}

// empty says whether the queues are, now and a moment later.
func (w *world) empty() bool {
	for range 20 {
		messages := 0
		for _, n := range w.depths() {
			messages += n
		}
		if messages == 0 {
			return true
		}
	}
	return false
}

// hold compares the figures with what is expected, and every saga with the rules.
func (f *figures) hold(w *world, e evidence, settled bool) {
	t, s := w.t, w.scenario
	fail := func(format string, arguments ...any) {
		f.Faults = append(f.Faults, fmt.Sprintf(format, arguments...))
	}
	violations := slices.DeleteFunc(e.Violations(), w.unprovable)
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
		fail("no command came twice")
	}
	if !settled {
		fail("not all is at rest")
	}
	within := func(what string, have seconds, limit, otherwise time.Duration) {
		if limit == 0 {
			limit = otherwise
		}
		if limit > 0 && time.Duration(float64(have)*float64(time.Second)) > limit {
			fail("%s took %s s, at most %s are right", what, have, limit)
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
		fail("a start took %d tries, at most %d are right", f.Tries, s.expect.tries)
	}
	if share := float64(f.Refused) / float64(max(1, w.load.attempts.Load())); s.expect.refused > 0 && share > s.expect.refused {
		fail("%.1f %% of all tries of starts were refused", 100*share)
	}
	if s.verify != nil {
		f.Faults = append(f.Faults, s.verify(w, e)...)
	}
	if unsaid := w.load.unsaid.Load(); unsaid > 0 {
		fail("%d starts were never acknowledged", unsaid)
	}
	for id, answer := range e.answered {
		if answer.Status == saga.Stuck && !foreseen(w.load.known[id]) {
			fail("%s is stuck, %s, and nothing in its script is the reason", id, answer.Attention.Reason)
		}
	}
	for _, p := range w.replicas {
		n := p.says("panic")
		if !s.damaged {
			n += p.says("cannot decide on")
		}
		if n > 0 {
			fail("the log of %s speaks of a defect %d times", p.name, n)
		}
	}
	assert.Empty(t, f.Faults, "fault %d, %s", s.number, s.name)
}

// foreseen says whether the script lets the saga wait for a person: with a compensation that is refused, or with a pivot
// that is declined, when an attempt before that was lost to the fault. Its outcome is then unknown.
func foreseen(data Data) bool {
	for name, behaviour := range data.Script {
		if strings.HasSuffix(name, "/undo") && behaviour == Reluctant {
			return true
		}
	}
	return data.Script["confirm"] == Decline
}

// unscripted counts the sagas that were undone although every step of theirs would have succeeded in the end: the fault
// alone has used their attempts up.
func (w *world) unscripted(e evidence) int {
	n := 0
	for id, answer := range e.answered {
		if answer.Status != saga.Compensated {
			continue
		}
		fails := w.cancelled[id] || answer.Definition == "brief" || answer.Definition == "again"
		for _, behaviour := range w.load.known[id].Script {
			fails = fails || behaviour == Decline || behaviour == Deny
		}
		if !fails {
			n++
		}
	}
	return n
}

// deliveries is how often the message that was delivered most often was, of those that kill their worker.
func (w *world) deliveries() int {
	return max(0, countIn(w.ledger, `select coalesce(max(n), 0) from (
		select count(*) as n from notes where kind = 'lethal' group by command) as each`))
}

func table(all []figures) string {
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "fault\tname\tstarts/s\tsagas\tinjected\tstall s\tslowest s\tfirst progress s\tsettled s\tlate p99 s\tundone by it\tviolations\tpass")
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
