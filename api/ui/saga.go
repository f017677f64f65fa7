package ui

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

type sagaStep = resource.SagaStep

// sagaView is everything that the view of one saga shows.
type sagaView struct {
	Saga     resource.Saga
	Why      resource.Why
	Actions  []actionInfo
	Timeline timeline
	Graph    graph
	Steps    []stepView
	Members  []member
	Left     int // members that are not shown
	Brief    int // steps without details
	History  []entryView
	Earlier  int    // entries that are not shown
	More     bool   // the history is longer than what was read
	Cut      bool   // values are shown in part
	Chosen   string // a step whose details the viewer asked for
	Look     sameBy
	Moving   bool // the saga may change by itself
}

// Tone returns the colour of the part that says why the saga is not further.
func (v sagaView) Tone() string {
	switch v.Why.Cause {
	case "done", "paused", "scheduled":
		return tone(v.Saga.Status)
	}
	return tone(v.Why.Cause)
}

type stepView struct {
	sagaStep
	Defined  definedStep
	Input    string
	Patched  bool   // an operator has changed the data since
	Lacking  string // members that the input may lack
	Message  string // of the error
	Changes  []change
	Most     int // attempts of the policy
	Open     bool
	MostBack int
}

type entryView struct {
	resource.HistoryEntry
	After  string // since the start
	Detail string
}

func asSyntax(err error, target **json.SyntaxError) bool { return errors.As(err, target) }

// saga shows one saga.
func (p *page) saga(w http.ResponseWriter, r *http.Request, who *viewer) error {
	view, err := p.readSaga(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	title := view.Saga.Definition + " " + short(view.Saga.ID)
	return p.show(w, r, who, "saga", screen{Title: title, Tab: "sagas", Body: view})
}

// mostHistory is how many entries of a history the page shows, in pages of the API.
const (
	mostHistory = 1000
	historyPage = "500"
)

// readSaga reads the parts of the view at the same time.
func (p *page) readSaga(r *http.Request, id string) (sagaView, error) {
	var (
		view                     sagaView
		history                  []resource.HistoryEntry
		whyErr, histErr, sagaErr error
		reading                  sync.WaitGroup
	)
	reading.Go(func() { view.Why, whyErr = get[resource.Why](p, r, nil, "v1", "sagas", id, "why") })
	reading.Go(func() { history, view.More, histErr = p.readHistory(r, id) })
	view.Chosen = r.FormValue("step")
	view.Saga, sagaErr = get[resource.Saga](p, r, nil, "v1", "sagas", id)
	reading.Wait()
	if err := errors.Join(sagaErr); err != nil {
		return view, err
	}
	if err := errors.Join(whyErr, histErr); err != nil && view.Saga.Unreadable == "" {
		return view, err
	}
	var steps []definedStep
	if definition, err := p.readVersion(r, view.Saga.Definition, view.Saga.Version); err == nil {
		steps = stepsOf(definition.Steps)
	}
	p.fill(&view, steps, history)
	view.Look = sameBy{
		CLI:  p.cli(r, []string{"sagas", "show", view.Saga.ID}),
		Curl: p.curl(r, http.MethodGet, "/v1/sagas/"+view.Saga.ID, nil),
	}
	return view, nil
}

// fill derives what the view shows from the saga, its definition and its history.
func (p *page) fill(view *sagaView, steps []definedStep, history []resource.HistoryEntry) {
	s, attention := view.Saga, ""
	if s.Attention != nil {
		attention = string(s.Attention.Step)
	}
	view.Actions = allowedOf(s.AllowedActions)
	view.Moving = !s.Status.Terminal()
	view.Timeline = viewTimeline(s, history, p.drawnUntil(view.More, history))
	view.Timeline.shorten()
	if len(steps) <= mostDrawn {
		view.Graph = viewGraph(steps, statuses(s.Steps), attention)
	}
	data, done := objectOf(s.Data), finished(s.Steps)
	view.fillMembers(membersOf(data, done, history))
	view.fillHistory(history)
	changes := changesOf(done)
	defined := make(map[string]definedStep, len(steps))
	for _, step := range steps {
		defined[step.Name] = step
	}
	details := detailed(s.Steps, attention, view.Chosen)
	left := room{left: maxShownSteps}
	for i, step := range s.Steps {
		if !details[step.Name] {
			view.Timeline.Rows[i].Brief = true
			view.Brief++
			continue
		}
		shown := stepView{sagaStep: step, Defined: defined[step.Name], Open: step.Name == attention || step.Name == view.Chosen}
		input, patched, lacking := inputOf(data, done, step, history)
		shown.Input, shown.Patched, shown.Lacking = left.object(input), patched, cut(strings.Join(lacking, ", "), 120)
		shown.Changes = left.changes(changes[step.Name])
		if step.Error != nil {
			shown.Message = left.text(step.Error.Message, maxShown)
		}
		shown.Most, shown.MostBack = mostAttempts(shown.Defined.Retry), mostAttempts(shown.Defined.CompensationRetry)
		view.Steps = append(view.Steps, shown)
	}
	view.Cut = view.Cut || left.cut
}

// drawnUntil returns the end of the bars that are open at the end of the history: now, or the last entry that was read, if
// the page does not know what came after it.
func (p *page) drawnUntil(more bool, history []resource.HistoryEntry) time.Time {
	if more && len(history) > 0 {
		return history[len(history)-1].At.Time
	}
	return p.Now()
}

// whole answers with all of a saga, or with a page of its history, as the API shows it.
func (p *page) whole(w http.ResponseWriter, r *http.Request, _ *viewer) error {
	path := []string{"v1", "sagas", r.PathValue("id")}
	var query url.Values
	switch r.PathValue("part") {
	case "saga":
	case "history":
		path = append(path, "history")
		query = url.Values{"limit": {historyPage}}
		if cursor := r.FormValue("cursor"); cursor != "" {
			query.Set("cursor", cursor)
		}
	default:
		return p.unknown(w, r, nil)
	}
	content, err := get[json.RawMessage](p, r, query, path...)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(content) //nolint:gosec // JSON of the API, with its content type; an error means that the browser has left
	return nil
}

func mostAttempts(policy json.RawMessage) int {
	var read struct {
		MaxAttempts int `json:"max_attempts"`
	}
	_ = json.Unmarshal(policy, &read) // without a policy the number is not shown
	return read.MaxAttempts
}

// detailOf returns the detail of an entry in words.
func detailOf(entry resource.HistoryEntry) string {
	code, _ := entry.Detail["code"].(string)
	message, _ := entry.Detail["message"].(string)
	if reason, is := entry.Detail["reason"].(string); is && message == "" {
		return reason
	}
	switch {
	case code != "" && message != "":
		return code + ": " + message
	case code != "" || message != "":
		return code + message
	case len(entry.Detail) == 0:
		return ""
	}
	content, err := json.Marshal(entry.Detail)
	if err != nil {
		return ""
	}
	return string(content)
}

func (p *page) readHistory(r *http.Request, id string) (entries []resource.HistoryEntry, more bool, err error) {
	query := url.Values{"limit": {historyPage}}
	for {
		found, err := get[resource.List[resource.HistoryEntry]](p, r, query, "v1", "sagas", id, "history")
		if err != nil {
			return nil, false, err
		}
		entries = append(entries, found.Items...)
		if found.NextCursor == "" || len(entries) >= mostHistory {
			return entries, found.NextCursor != "", nil
		}
		query.Set("cursor", string(found.NextCursor))
	}
}

func (p *page) readVersion(r *http.Request, name string, version int) (resource.Definition, error) {
	return get[resource.Definition](p, r, nil, "v1", "definitions", name, "versions", text(version))
}
