package bench

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Scenario describes the sagas of a load.
type Scenario struct {
	Steps    int     // 1 to 100
	Parallel bool    // all steps run at once instead of in sequence
	FailRate float64 // share of sagas, 0 to 1, whose last step fails
	Payload  int     // additional bytes of data per saga
}

// definitionName is the name of the load's definition.
const definitionName = "bench"

// failCode is the error code of steps that must fail.
const failCode = "declined"

// service is one of the three services that handle the steps in turns.
type service struct{ name, action, compensation string }

// queue returns the service's queue. Its "bench-" keeps the commands from real workers of a shared orchestrator.
func (s service) queue() string { return "bench-" + s.name }

func services() []service {
	return []service{{"inventory", "reserve", "release"}, {"payments", "charge", "refund"}, {"orders", "confirm", "cancel"}}
}

// queues returns the worker queues of the load.
func queues() []string {
	var all []string
	for _, s := range services() {
		all = append(all, s.queue())
	}
	return all
}

// command returns the command name of an action or compensation.
func (s service) command(what string) string { return "bench." + s.name + "." + what }

// definition returns the definition of the sagas. In a sequence the last step is the pivot, as in the order saga; parallel
// steps are all compensatable, because a pivot must run alone.
func (s Scenario) definition() *saga.Definition {
	b := saga.New(definitionName).Describe("sagas of a load test; they do nothing")
	for i := range s.Steps {
		by := services()[i%len(services())]
		name, action, queue := s.step(i), by.command(by.action), saga.OnQueue(by.queue())
		compensated := saga.CompensatedBy(by.command(by.compensation))
		switch {
		case s.Parallel:
			b.Step(name, action, queue, compensated, saga.AtOnce())
		case i == s.Steps-1:
			b.Pivot(name, action, queue)
		default:
			b.Step(name, action, queue, compensated)
		}
	}
	return b.MustBuild()
}

func (s Scenario) step(i int) string {
	return fmt.Sprintf("%s-%d", services()[i%len(services())].name, i+1)
}

// variant returns the scenario's name in the report.
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

// fails reports whether the last step of saga number n fails. Failing sagas are spread evenly, and are the same in every run.
func (s Scenario) fails(n int) bool {
	return math.Floor(float64(n+1)*s.FailRate) > math.Floor(float64(n)*s.FailRate)
}

// start is a request body that starts a saga, and the expected end of that saga.
type start struct {
	body []byte
	end  saga.Status
}

// starts returns the starts of a saga that succeeds and of one that fails. The workers, and the simulated workers of the
// embedded orchestrator, read the member simulate.
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

// Validate returns the first error in the scenario.
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

// longestText is well below the limit of a string in a saga's data.
const longestText = 32 << 10

// payload returns texts of size bytes in total.
func payload(size int) []string {
	var texts []string
	for ; size > 0; size -= longestText {
		texts = append(texts, strings.Repeat("x", min(size, longestText)))
	}
	return texts
}

// maxPayload leaves room for the rest of a request, whose limit is 256 KiB.
const maxPayload = 250 << 10
