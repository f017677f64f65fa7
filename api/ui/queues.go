package ui

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// queueState is a queue; one of a list has no samples.
type queueState = resource.QueueDetails

type queueView struct {
	queueState
	Trouble []string
	Depths  sparkline
	Same    sameBy
	Problem *resource.Problem
}

type queuesView struct {
	Queues   []queueView
	Counting bool // the counts take too long for the first paint
}

// Unhealthy reports whether the last check found the queue unhealthy.
func (q queueView) Unhealthy() bool { return q.Health.Status == "unhealthy" }

// viewQueue names what is wrong with a queue.
func viewQueue(q queueState) queueView {
	shown := queueView{queueState: q, Trouble: q.Health.Reasons}
	if q.Exists == nil {
		shown.Trouble = append(shown.Trouble, "Its state is unknown: the broker does not answer.")
	}
	if q.Exists != nil && !*q.Exists {
		shown.Trouble = append(shown.Trouble, "It does not exist on the broker.")
	}
	if q.Exists != nil && *q.Exists && q.Depth == nil {
		shown.Trouble = append(shown.Trouble, "Another connection has locked it (exclusive): the broker does not report its state, and commands may not reach it.")
	}
	values := make([]int64, 0, len(q.Samples))
	for _, sample := range q.Samples {
		if sample.Depth != nil {
			values = append(values, int64(*sample.Depth))
		}
	}
	if len(values) > 1 {
		shown.Depths = viewSparkline(values)
	}
	return shown
}

func (p *page) queues(w http.ResponseWriter, r *http.Request, who *viewer) error {
	counts := begin(r, func(r *http.Request) (resource.List[queueState], error) {
		return get[resource.List[queueState]](p, r, nil, "v1", "queues")
	})
	found, counted, err := counts.result(r)
	if err != nil {
		return err
	}
	views := make([]queueView, len(found.Items))
	for i, queue := range found.Items {
		if i < mostSparklines { // a call each
			if one, err := get[queueState](p, r, nil, "v1", "queues", queue.Name); err == nil {
				queue.Samples = one.Samples
			}
		}
		views[i] = viewQueue(queue)
	}
	return p.show(w, r, who, "queues", screen{Title: "Queues", Tab: "queues", Body: queuesView{views, !counted}})
}

// mostSparklines bounds the calls for one view.
const mostSparklines = 20

func (p *page) readQueue(r *http.Request) (queueView, error) {
	name := r.PathValue("queue")
	found, err := get[queueState](p, r, nil, "v1", "queues", name)
	if err != nil {
		return queueView{}, err
	}
	view := viewQueue(found)
	view.Same = sameBy{
		CLI:  p.cli(r, []string{"queues", "set", name, "--max-out", "10"}),
		Curl: p.curl(r, http.MethodPatch, "/v1/queues/"+name, map[string]any{"max_out": 10}),
	}
	return view, nil
}

func (p *page) queue(w http.ResponseWriter, r *http.Request, who *viewer) error {
	view, err := p.readQueue(r)
	if err != nil {
		return err
	}
	return p.show(w, r, who, "queue", screen{Title: "Queue " + view.Name, Tab: "queues", Body: view})
}

// setQueue pauses, resumes, caps or throttles a queue. An empty field of the form takes a setting away.
func (p *page) setQueue(w http.ResponseWriter, r *http.Request, who *viewer) error {
	name, change, said := r.PathValue("queue"), map[string]any{}, noticeLimits
	var fault error
	switch r.PostFormValue("do") {
	case "pause":
		change["paused"], said = true, noticePaused
	case "resume":
		change["paused"], said = false, noticeResumed
	default:
		change["max_out"], fault = numberOrNull(r.PostFormValue("max_out"), "Commands out")
		if fault == nil {
			change["rate"], fault = numberOrNull(r.PostFormValue("rate"), "The rate")
		}
	}
	if fault == nil {
		_, fault = call[queueState](p, r, request{method: http.MethodPatch, path: []string{"v1", "queues", name}, body: change})
	}
	if fault == nil {
		back := "/ui/queues/" + name
		if r.PostFormValue("back") == "list" {
			back = "/ui/queues"
		}
		p.redirect(w, r, withNotice(back, said))
		return nil
	}
	problem, is := asProblem(fault)
	if !is || problem.Status == http.StatusUnauthorized || problem.Status == http.StatusNotFound {
		return fault
	}
	view, err := p.readQueue(r)
	if err != nil {
		return err
	}
	view.Problem = problem
	p.render(w, r, who, problem.Status, "queue", screen{Title: "Queue " + name, Tab: "queues", Body: view})
	return nil
}

// numberOrNull returns the number in a field, or nil for an empty one.
func numberOrNull(value, what string) (any, error) {
	value = strings.TrimSpace(value)
	if value == "" {
		return nil, nil
	}
	parsed, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return nil, refused(http.StatusUnprocessableEntity, "invalid_field", what+" must be a number.")
	}
	if parsed == float64(int64(parsed)) {
		return int64(parsed), nil
	}
	return parsed, nil
}
