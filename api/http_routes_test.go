package api

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestARouteWithoutARoleDoesNotStart(t *testing.T) {
	t.Parallel()
	assert.PanicsWithValue(t, "route open has no role", func() {
		register(&service{}, route{id: "open", method: http.MethodGet, path: "/v1/open"},
			func(context.Context, *struct{}) (*struct{}, error) { return nil, nil })
	})
}
