package bench

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Scenario is what the sagas of a load are like.
type Scenario struct {
	Steps    int     // 1 to 100
	Parallel bool    // all steps at once, instead of one after the other
	FailRate float64 // share of sagas, 0 to 1, whose last step fails for good
	Payload  int     // bytes of data that each saga carries beside what it needs
}

// definitionName is the one under which the load's sagas run.
const definitionName = "bench"

// failCode is the error with which a step fails that is to.
const failCode = "declined"

// service is one of the three that take turns in doing the steps.
type service struct{ name, do, undo string }

// queue is not just the service's name: at an orchestrator that others use, too, their workers are not to be met.
func (s service) queue() string { return "bench-" + s.name }

func services() []service {
	return []service{{"inventory", "reserve", "release"}, {"payments", "charge", "refund"}, {"orders", "confirm", "cancel"}}
}

// queues are those that the load's commands go to.
func queues() []string {
	var all []string
	for _, s := range services() {
		all = append(all, s.queue())
	}
	return all
}

// command is the name of what a service does, or undoes.
func (s service) command(what string) string { return "bench." + s.name + "." + what }

// definition is the saga's. One after the other, the last step is the pivot, as in the order saga; what runs beside
// others can be none.
func (s Scenario) definition() *saga.Definition {
	b := saga.New(definitionName).Describe("sagas of a load test; they do nothing")
	for i := range s.Steps {
		by := services()[i%len(services())]
		name, do, queue := s.step(i), by.command(by.do), saga.OnQueue(by.queue())
		undo := saga.CompensatedBy(by.command(by.undo))
		switch {
		case s.Parallel:
			b.Step(name, do, queue, undo, saga.AtOnce())
		case i == s.Steps-1:
			b.Pivot(name, do, queue)
		default:
			b.Step(name, do, queue, undo)
		}
	}
	return b.MustBuild()
}

func (s Scenario) step(i int) string {
	return fmt.Sprintf("%s-%d", services()[i%len(services())].name, i+1)
}

// variant is what the report calls the scenario.
func (s Scenario) variant() string {
	variant := fmt.Sprintf("fails %g", s.FailRate)
	switch s.FailRate {
	case 0:
		variant = "A"
	case 1:
		variant = "B"
	}
	if s.Steps != 3 || s.Parallel {
		variant += fmt.Sprintf(", %d steps", s.Steps)
	}
	if s.Parallel {
		variant += " in parallel"
	}
	if s.Payload > 0 {
		variant += fmt.Sprintf(", %d bytes", s.Payload)
	}
	return variant
}

// fails says whether saga number n is one whose last step fails: they are spread evenly, the same in every run.
func (s Scenario) fails(n int) bool {
	return math.Floor(float64(n+1)*s.FailRate) > math.Floor(float64(n)*s.FailRate)
}

// start is one way to start a saga: the body, and how the saga then has to end.
type start struct {
	body []byte
	end  saga.Status
}

// starts are those of a saga that succeeds and of one that fails. The member simulate is what the workers heed, and the
// simulated ones of the embedded orchestrator as well.
func (s Scenario) starts() (succeeds, fails start, err error) {
	data := map[string]any{"simulate": map[string]string{}}
	if s.Payload > 0 {
		data["payload"] = payload(s.Payload)
	}
	for _, one := range []*start{&succeeds, &fails} {
		one.body, err = json.Marshal(map[string]any{"definition": definitionName, "data": data})
		if err != nil {
			return start{}, start{}, fmt.Errorf("encode the start of a saga: %w", err)
		}
		data["simulate"] = map[string]string{s.step(s.Steps - 1): failCode}
	}
	succeeds.end, fails.end = saga.Completed, saga.Compensated
	return succeeds, fails, nil
}

// Validate says what is wrong with the scenario.
func (s Scenario) Validate() error {
	switch {
	case s.Steps < 1 || s.Steps > 100:
		return fmt.Errorf("%d steps: want 1 to 100", s.Steps)
	case !(s.FailRate >= 0 && s.FailRate <= 1):
		return fmt.Errorf("fail rate %g: want 0 to 1", s.FailRate)
	case s.Payload < 0 || s.Payload > maxPayload:
		return fmt.Errorf("payload of %d bytes: want 0 to %d", s.Payload, maxPayload)
	}
	return nil
}

// longestText is well below what a string in a saga's data may have.
const longestText = 32 << 10

// payload is a list of texts with so many bytes together.
func payload(size int) []string {
	var texts []string
	for ; size > 0; size -= longestText {
		texts = append(texts, strings.Repeat("x", min(size, longestText)))
	}
	return texts
}

// maxPayload leaves room for the rest of a message, whose limit is 256 KiB.
const maxPayload = 250 << 10
