package api

import (
	"net/url"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// Given is an optional parameter. It distinguishes a zero value that was sent from an absent one: since=0 selects
// something. Its fields are exported because the router sets them.
type Given[T any] struct {
	Value T
	Set   bool
}

// Receiver returns the field that the router sets.
func (g *Given[T]) Receiver() reflect.Value { return reflect.ValueOf(g).Elem().Field(0) }

// OnParamSet records whether the parameter was sent; the router calls it.
func (g *Given[T]) OnParamSet(set bool, _ any) { g.Set = set }

// Schema returns the schema of the value.
func (*Given[T]) Schema(registry huma.Registry) *huma.Schema {
	return registry.Schema(reflect.TypeFor[T](), true, "")
}

// pointer returns the value if it was sent, else nil.
func (g *Given[T]) pointer() *T {
	if !g.Set {
		return nil
	}
	return &g.Value
}

// checkQuery refuses parameters that the router would drop silently: empty ones, and repeated ones that are not lists.
// Dropping a filter would select everything.
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
			faults = append(faults, resource.FieldError{Parameter: parameter.Name, Message: "must not be empty: omit it, or set a value"})
		case len(values) > 1 && !repeatable:
			faults = append(faults, resource.FieldError{Parameter: parameter.Name, Message: "must occur only once"})
		}
	}
	return faults
}
