package ui

import (
	"net/http"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// signalView is the form that gives a signal to a saga.
type signalView struct {
	Saga    resource.Saga
	Step    resource.SagaStep // that waits for it, or will
	Given   signalInput
	Same    sameBy
	Problem *resource.Problem
}

// signalInput is what the form sends.
type signalInput struct {
	Output, Code, Message string
	Refuses               bool
}

func (p *page) readSignal(r *http.Request) (signalView, error) {
	s, err := get[resource.Saga](p, r, nil, "v1", "sagas", r.PathValue("id"))
	if err != nil {
		return signalView{}, err
	}
	for _, step := range s.Steps {
		if step.WaitsFor != nil && string(step.WaitsFor.Signal) == r.PathValue("name") {
			return signalView{Saga: s, Step: step}, nil
		}
	}
	return signalView{}, refused(http.StatusNotFound, resource.CodeUnknownSignal, "No step of this saga waits for this signal.")
}

func (p *page) signalForm(w http.ResponseWriter, r *http.Request, who *viewer) error {
	view, err := p.readSignal(r)
	if err != nil {
		return err
	}
	view.Same = p.sameSignal(r, view)
	return p.show(w, r, who, "signal", screen{Title: "Give " + r.PathValue("name"), Tab: "sagas", Body: view})
}

// signal gives the signal.
func (p *page) signal(w http.ResponseWriter, r *http.Request, who *viewer) error {
	view, err := p.readSignal(r)
	if err != nil {
		return err
	}
	view.Given = signalInput{
		Output: r.PostFormValue("output"), Code: strings.TrimSpace(r.PostFormValue("code")), Message: r.PostFormValue("message"),
		Refuses: r.PostFormValue("refuse") != "",
	}
	body, err := view.body()
	if err == nil {
		_, err = post[resource.Saga](p, r, body, view.path()...)
	}
	if err == nil {
		p.redirect(w, r, withNotice("/ui/sagas/"+view.Saga.ID, noticeSignalled))
		return nil
	}
	problem, is := asProblem(err)
	if !is || problem.Status == http.StatusUnauthorized {
		return err
	}
	view.Problem, view.Same = problem, p.sameSignal(r, view)
	p.render(w, r, who, problem.Status, "signal", screen{Title: "Give " + r.PathValue("name"), Tab: "sagas", Body: view})
	return nil
}

func (v signalView) path() []string {
	return []string{"v1", "sagas", v.Saga.ID, "signals", string(v.Step.WaitsFor.Signal)}
}

func (v signalView) body() (signal resource.Signal, err error) {
	if v.Given.Refuses {
		signal.Error = &resource.SignalError{Code: v.Given.Code, Message: v.Given.Message}
		return signal, nil
	}
	signal.Output, err = optionalJSON(v.Given.Output, "The output")
	return signal, err
}

// sameSignal shows the signal for the command line, and for curl.
func (p *page) sameSignal(r *http.Request, view signalView) sameBy {
	body, err := view.body()
	if err != nil {
		return sameBy{}
	}
	words := []string{"sagas", "signal", view.Saga.ID, string(view.Step.WaitsFor.Signal)}
	flags := []string{"with-output", view.Given.Output}
	if view.Given.Refuses {
		flags = []string{"error-code", view.Given.Code, "error-message", view.Given.Message}
	}
	return sameBy{
		CLI:  p.cli(r, words, flags...),
		Curl: p.curl(r, http.MethodPost, "/"+strings.Join(view.path(), "/"), body),
	}
}

// Signals returns the signals that the saga waits for, or will, and that can be given.
func (v sagaView) Signals() (names []string) {
	if v.Saga.Status.Terminal() {
		return nil
	}
	for _, step := range v.Saga.Steps {
		open := step.Status == saga.StepRunning || step.Status == saga.StepPending
		if step.WaitsFor != nil && step.WaitsFor.Signal != "" && open {
			names = append(names, string(step.WaitsFor.Signal))
		}
	}
	return names
}
