package api

import (
	"context"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Limits of request bodies.
const (
	maxBody = 256 << 10
	// A definition with 100 steps has more members than the default limit allows.
	maxDefinitionMembers = 100_000
)

// bodyRule describes the body that a route accepts.
type bodyRule struct {
	shape    reflect.Type // for the documentation
	limit    int64        // 0: maxBody
	members  int          // 0: the default
	optional bool         // no body means {}
	patch    bool         // application/merge-patch+json is accepted, too
}

// bodyOf returns the rule of an ordinary body with the shape of T.
func bodyOf[T any]() *bodyRule { return &bodyRule{shape: reflect.TypeFor[T]()} }

func (r bodyRule) mediaTypes() []string {
	if r.patch {
		return []string{"application/merge-patch+json", "application/json"}
	}
	return []string{"application/json"}
}

func (r bodyRule) schema(registry huma.Registry) *huma.Schema {
	if r.shape == nil {
		return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
	}
	return registry.Schema(r.shape, true, "")
}

type bodyKey struct{}

// body returns the request's body: one JSON document that readBody has checked.
func body(ctx context.Context) []byte {
	content, _ := ctx.Value(bodyKey{}).([]byte)
	return content
}

// readBody reads and checks the body before the handler runs.
func (s *service) readBody(rule bodyRule) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		request, _ := humachi.Unwrap(ctx)
		connection := connectionOf(ctx.Context())
		connection.enter(phaseReceiving)
		content, err := rule.read(request)
		connection.enter(phaseWorking)
		if err != nil {
			s.refuse(ctx, err)
			return
		}
		next(huma.WithValue(ctx, bodyKey{}, content))
	}
}

// refuseBody refuses a body where none is read: what it asks for would not happen, and its reason would be kept nowhere.
func (s *service) refuseBody(ctx huma.Context, next func(huma.Context)) {
	request, _ := humachi.Unwrap(ctx)
	content, err := io.ReadAll(io.LimitReader(request.Body, maxBody))
	if given := strings.TrimSpace(string(content)); err != nil || given != "" && given != "{}" {
		s.refuse(ctx, problem(resource.CodeInvalidBody, "This request does not take a body."))
		return
	}
	next(ctx)
}

func (r bodyRule) read(request *http.Request) ([]byte, error) {
	limit, members := int64(maxBody), r.members
	if r.limit > 0 {
		limit = r.limit
	}
	if request.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	content, err := io.ReadAll(io.LimitReader(request.Body, limit+1))
	switch {
	case err != nil:
		return nil, problem(resource.CodeInvalidBody, "The body could not be read to its end.")
	case int64(len(content)) > limit:
		return nil, tooLarge(limit)
	case len(content) == 0 && r.optional:
		return []byte("{}"), nil
	case len(content) == 0:
		return nil, problem(resource.CodeInvalidBody, "The body is missing.")
	}
	if err := r.checkType(request.Header); err != nil {
		return nil, err
	}
	limits := saga.DefaultJSONLimits()
	if members > 0 {
		limits.Members = members
	}
	if err := saga.CheckJSON(content, limits); err != nil {
		return nil, problem(resource.CodeInvalidBody, "The body is not valid: "+err.Error()+".")
	}
	return content, nil
}

func (r bodyRule) checkType(header http.Header) error {
	given, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	wanted := strings.Join(r.mediaTypes(), " or ")
	charset, stated := parameters["charset"]
	switch {
	case err != nil || !slices.Contains(r.mediaTypes(), given):
		return problem(resource.CodeUnsupportedMediaType, "Send the body with Content-Type "+wanted+".")
	case stated && !strings.EqualFold(charset, "utf-8"):
		return problem(resource.CodeUnsupportedMediaType, "The charset must be UTF-8.")
	case header.Get("Content-Encoding") != "" && header.Get("Content-Encoding") != "identity":
		return problem(resource.CodeUnsupportedMediaType, "Send the body without a Content-Encoding.")
	default:
		return nil
	}
}

func tooLarge(limit int64) error {
	return problem(resource.CodePayloadTooLarge, "The body is larger than "+sizeText(limit)+".")
}

func sizeText(bytes int64) string {
	if bytes >= 1<<20 {
		return decimal(bytes>>20) + " MiB"
	}
	return decimal(bytes>>10) + " KiB"
}
