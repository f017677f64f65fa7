package api

import (
	"context"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// route declares one operation of the API. A route without a role cannot be registered.
type route struct {
	id      string
	method  string
	path    string
	summary string
	about   string // description, in addition to the summary
	tag     string
	role    record.Role
	body    *bodyRule // nil: no body
	status  int       // of success; 0: 200
	answers answers   // further answers of success, and those whose type the handler does not show
	errors  []int     // statuses of problems, in addition to those of every route
	waits   bool      // accepts ?wait=, which extends its time limit
	streams bool      // has no time limit
	long    bool      // has time to read 100,000 sagas
	// unlimited routes refuse keys that are limited to definitions: what they change concerns every definition.
	unlimited bool
}

// register registers a route. Errors of its handler become problem documents.
func register[I, O any](s *service, r route, handle func(context.Context, *I) (*O, error)) {
	if r.role == "" {
		panic("route " + r.id + " has no role")
	}
	huma.Register(s.huma, r.operation(s), func(ctx context.Context, input *I) (*O, error) {
		output, err := handle(ctx, input)
		if err != nil {
			return nil, challenged(s.fail(ctx, err))
		}
		return output, nil
	})
	if r.body != nil {
		s.documentBody(r)
	}
	s.documentAnswers(r)
}

// answers are values of the types that a route answers with, by status. nil: no body; either: one of several types.
type answers map[int]any

// either holds values of the types of which an answer has one.
type either []any

func (r route) operation(s *service) huma.Operation {
	problems := append([]int{
		http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable,
	}, r.errors...)
	if r.body != nil {
		problems = append(problems, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity)
	}
	middlewares := huma.Middlewares{s.limitTime(r), s.authorize(r), s.limitRate, s.checkQuery}
	if r.body != nil {
		middlewares = append(middlewares, s.readBody(*r.body))
	} else if r.method != http.MethodGet {
		middlewares = append(middlewares, s.refuseBody)
	}
	middlewares = append(middlewares, s.limitShare(r))
	limits := ""
	if r.unlimited {
		limits = ", and a key that is not limited to definitions"
	}
	return huma.Operation{
		OperationID: r.id, Method: r.method, Path: r.path, Summary: r.summary, Tags: []string{r.tag},
		Description:   r.about + "\n\nRequires the role `" + string(r.role) + "`" + limits + ".",
		DefaultStatus: r.status, Errors: problems, Middlewares: middlewares,
		Security:   []map[string][]string{{"key": {}}},
		Metadata:   map[string]any{"role": r.role},
		Extensions: map[string]any{"x-role": string(r.role), "x-unlimited": r.unlimited},
	}
}

// documentAnswers adds the answers that the router does not find itself to the OpenAPI document.
func (s *service) documentAnswers(r route) {
	operation := operationOf(s.huma.OpenAPI().Paths[r.path], r.method)
	for status, value := range r.answers {
		code := strconv.Itoa(status)
		answer := operation.Responses[code]
		if answer == nil {
			answer = &huma.Response{Description: http.StatusText(status)}
			operation.Responses[code] = answer
		}
		if value != nil {
			answer.Content = map[string]*huma.MediaType{"application/json": {Schema: s.schemaOf(value)}}
		}
	}
}

// schemaOf returns the schema of an answer.
func (s *service) schemaOf(value any) *huma.Schema {
	several, is := value.(either)
	if !is {
		return s.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(value), true, "")
	}
	schema := &huma.Schema{}
	for _, one := range several {
		schema.AnyOf = append(schema.AnyOf, s.schemaOf(one))
	}
	return schema
}

func operationOf(item *huma.PathItem, method string) *huma.Operation {
	return map[string]*huma.Operation{
		http.MethodGet: item.Get, http.MethodPut: item.Put, http.MethodPost: item.Post, http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
	}[method]
}

// documentBody adds the body, which the router does not read itself, to the OpenAPI document.
func (s *service) documentBody(r route) {
	operation := operationOf(s.huma.OpenAPI().Paths[r.path], r.method)
	content := make(map[string]*huma.MediaType)
	for _, mediaType := range r.body.mediaTypes() {
		content[mediaType] = &huma.MediaType{Schema: r.body.schema(s.huma.OpenAPI().Components.Schemas)}
	}
	operation.RequestBody = &huma.RequestBody{Required: !r.body.optional, Content: content}
}

// limitTime bounds the time of a request. It extends the deadlines of the server for a request that waits.
func (s *service) limitTime(r route) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if r.streams {
			next(ctx)
			return
		}
		limit := s.RequestTimeout
		if r.long {
			limit = longTimeout
			request, w := humachi.Unwrap(ctx)
			prolong(request.Context(), w, limit)
		}
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

// longTimeout limits a request that reads many sagas.
const longTimeout = 30 * time.Second

// prolong extends the deadlines of the connection. A writer in a test has none.
func prolong(_ context.Context, w http.ResponseWriter, limit time.Duration) {
	controller := http.NewResponseController(w)
	deadline := time.Now().Add(limit + writeAllowance)
	_ = controller.SetReadDeadline(deadline)                      // otherwise the server takes a silent client for a closed one
	_ = controller.SetWriteDeadline(deadline.Add(writeAllowance)) // leaves time to report that the body arrived too slowly
}

// refuse answers a request with a problem before it reaches its handler.
func (s *service) refuse(ctx huma.Context, err error) {
	_, w := humachi.Unwrap(ctx)
	writeProblem(w, problemOf(s.fail(ctx.Context(), err)))
}

// openAPI returns the configuration of the router, with the OpenAPI document that the routes extend.
func (s *service) openAPI() huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	describeTypes(registry)
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Saga orchestrator", Version: s.Version,
				License: &huma.License{Name: "Apache License 2.0", Identifier: "Apache-2.0"},
				Description: "Start sagas, see what they are waiting for, and repair those that are stuck. " +
					"Every error is a problem document (RFC 9457) with a stable `code`.",
			},
			Servers: []*huma.Server{{URL: s.BasePath + "/", Description: "The server of this document"}},
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"key": {Type: "http", Scheme: "bearer", Description: "An API key with a role: viewer, operator or admin"},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": jsonFormat(), "json": jsonFormat()}, // json serves the +json types
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{ownProblem},
	}
}

// ownProblem replaces the error documents of the router, which repeat the refused values.
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
		faults = append(faults, resource.FieldError{Parameter: parameterName(fault.Location), Message: clearFault(fault.Message)})
	}
	return problem(resource.CodeInvalidParameter, invalidParameter, faults...), nil
}

// clearFault returns a message of the router with numbers in full and the format of times by its name.
func clearFault(message string) string {
	if strings.HasPrefix(message, "invalid date/time for format ") {
		return "must be a time by RFC 3339 such as 2026-01-31T12:00:00Z"
	}
	for sign, limit := range map[string]string{"expected number <= ": "at most ", "expected number >= ": "at least "} {
		text, found := strings.CutPrefix(message, sign)
		if number, err := strconv.ParseFloat(text, 64); found && err == nil {
			return "must be " + limit + strconv.FormatFloat(number, 'f', -1, 64)
		}
	}
	return message
}
