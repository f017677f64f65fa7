package api

import (
	"net/url"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// Given is a parameter that need not be there. A zero value that was sent is not the same as none: since=0, or a time
// in the year 1, selects something. The router fills it, so its fields are exported.
type Given[T any] struct {
	Value T
	Set   bool
}

// Receiver is where the router puts the value.
func (g *Given[T]) Receiver() reflect.Value { return reflect.ValueOf(g).Elem().Field(0) }

// OnParamSet is called by the router for a parameter that was sent.
func (g *Given[T]) OnParamSet(set bool, _ any) { g.Set = set }

// Schema is that of the value.
func (*Given[T]) Schema(registry huma.Registry) *huma.Schema {
	return registry.Schema(reflect.TypeFor[T](), true, "")
}

// pointer is the value if it was sent, else nil.
func (g *Given[T]) pointer() *T {
	if !g.Set {
		return nil
	}
	return &g.Value
}

// checkQuery refuses parameters that the router would drop without a word: those that are given and empty, and the
// second of two where one may stand. A filter that vanishes selects everything.
func (s *service) checkQuery(ctx huma.Context, next func(huma.Context)) {
	address := ctx.URL()
	if address.RawQuery == "" {
		next(ctx)
		return
	}
	if faults := queryFaults(address.Query(), ctx.Operation().Parameters); len(faults) > 0 {
		s.refuse(ctx, problem(resource.CodeInvalidParameter, invalidParameter, faults...))
		return
	}
	next(ctx)
}

func queryFaults(query url.Values, declared []*huma.Param) []resource.FieldError {
	var faults []resource.FieldError
	for _, parameter := range declared {
		values, given := query[parameter.Name]
		if parameter.In != "query" || !given {
			continue
		}
		repeatable := parameter.Schema != nil && parameter.Schema.Type == huma.TypeArray
		blank := false
		for _, value := range values {
			blank = blank || strings.TrimSpace(value) == ""
		}
		switch {
		case blank:
			faults = append(faults, resource.FieldError{Parameter: parameter.Name, Message: "must not be empty: leave it out, or give a value"})
		case len(values) > 1 && !repeatable:
			faults = append(faults, resource.FieldError{Parameter: parameter.Name, Message: "must be given once"})
		}
	}
	return faults
}
