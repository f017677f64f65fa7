package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// route declares one call of the API. A route without a role cannot be registered: the default is to deny.
type route struct {
	id      string
	method  string
	path    string
	summary string
	about   string // more than the summary, for the documentation
	tag     string
	role    record.Role
	body    *bodyRule // nil: the call has no body
	status  int       // of success; 0: 200
	errors  []int     // statuses of problems, besides those that every route has
	waits   bool      // takes ?wait=, for which its time is prolonged
	streams bool      // has no end of its own
}

// register connects a route with its handler, whose errors become problem documents.
func register[I, O any](s *service, r route, handle func(context.Context, *I) (*O, error)) {
	if r.role == "" {
		panic("route " + r.id + " has no role")
	}
	huma.Register(s.huma, r.operation(s), func(ctx context.Context, input *I) (*O, error) {
		output, err := handle(ctx, input)
		if err != nil {
			return nil, s.fail(ctx, err)
		}
		return output, nil
	})
	if r.body != nil {
		s.documentBody(r)
	}
}

func (r route) operation(s *service) huma.Operation {
	problems := append([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable}, r.errors...)
	if r.body != nil {
		problems = append(problems, http.StatusBadRequest, http.StatusRequestEntityTooLarge,
			http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity)
	}
	middlewares := huma.Middlewares{s.limitTime(r), s.authorize(r.role), s.checkQuery}
	if r.body != nil {
		middlewares = append(middlewares, s.readBody(*r.body))
	}
	middlewares = append(middlewares, s.limitShare(r))
	return huma.Operation{
		OperationID: r.id, Method: r.method, Path: r.path, Summary: r.summary, Tags: []string{r.tag},
		Description:   r.about + "\n\nNeeds the role `" + string(r.role) + "`.",
		DefaultStatus: r.status, Errors: problems, Middlewares: middlewares,
		Security: []map[string][]string{{"key": {}}},
		Metadata: map[string]any{"role": r.role},
	}
}

// documentBody tells the OpenAPI document about a body that the router itself does not read.
func (s *service) documentBody(r route) {
	item := s.huma.OpenAPI().Paths[r.path]
	operation := map[string]*huma.Operation{
		http.MethodPut: item.Put, http.MethodPost: item.Post, http.MethodPatch: item.Patch,
	}[r.method]
	content := make(map[string]*huma.MediaType)
	for _, mediaType := range r.body.mediaTypes() {
		content[mediaType] = &huma.MediaType{Schema: r.body.schema(s.huma.OpenAPI().Components.Schemas)}
	}
	operation.RequestBody = &huma.RequestBody{Required: !r.body.optional, Content: content}
}

// limitTime bounds how long a request may take. The server's own deadlines are for the ordinary case: a request that
// waits or streams gets them moved.
func (s *service) limitTime(r route) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if r.streams {
			next(ctx)
			return
		}
		limit := s.RequestTimeout
		if r.waits {
			wait, err := parseWait(ctx.Query("wait"))
			if err != nil {
				s.refuse(ctx, err)
				return
			}
			limit += wait
			request, w := humachi.Unwrap(ctx)
			prolong(request.Context(), w, limit)
		}
		limited, cancel := context.WithTimeout(ctx.Context(), limit)
		defer cancel()
		next(huma.WithContext(ctx, limited))
	}
}

// prolong moves the connection's deadlines for a request that takes longer than others. A writer without deadlines, as
// in tests, has nothing to move.
func prolong(_ context.Context, w http.ResponseWriter, limit time.Duration) {
	controller := http.NewResponseController(w)
	deadline := time.Now().Add(limit + writeAllowance)
	_ = controller.SetReadDeadline(deadline)                      // or the server would take a silent client for one that has gone
	_ = controller.SetWriteDeadline(deadline.Add(writeAllowance)) // who sends too slowly is told so
}

// refuse answers a request with a problem before its handler has it.
func (s *service) refuse(ctx huma.Context, err error) {
	_, w := humachi.Unwrap(ctx)
	writeProblem(w, problemOf(s.fail(ctx.Context(), err)))
}

// openAPI is the frame of the OpenAPI document, into which the routes write themselves.
func (s *service) openAPI() huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	describeTypes(registry)
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Saga orchestrator", Version: s.Version,
				License: &huma.License{Name: "Apache License 2.0", Identifier: "Apache-2.0"},
				Description: "Start sagas, see why they are not further, and repair what is stuck. " +
					"Every error is a problem document (RFC 9457) with a stable `code`.",
			},
			Servers: []*huma.Server{{URL: "/", Description: "Where this document came from"}},
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"key": {Type: "http", Scheme: "bearer", Description: "An API key with a role: viewer, operator or admin"},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": jsonFormat(), "json": jsonFormat()}, // json: for +json
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{ownProblem},
	}
}

// ownProblem replaces the router's own error documents, which would repeat the values that they refuse.
func ownProblem(_ huma.Context, status string, value any) (any, error) {
	foreign, ok := value.(*huma.ErrorModel)
	if !ok {
		return value, nil
	}
	if status >= "500" {
		return problem(resource.CodeInternal, ""), nil
	}
	faults := make([]resource.FieldError, 0, len(foreign.Errors))
	for _, fault := range foreign.Errors {
		faults = append(faults, resource.FieldError{Parameter: parameterName(fault.Location), Message: fault.Message})
	}
	return problem(resource.CodeInvalidParameter, invalidParameter, faults...), nil
}
