package condition_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga/condition"
)

func compiler(t *testing.T) *condition.Compiler {
	t.Helper()
	c, err := condition.NewCompiler()
	require.NoError(t, err)
	return c
}

func TestAConditionReadsTheData(t *testing.T) {
	t.Parallel()
	c := compiler(t)
	const data = `{"amount":120,"price":1.5,"country":"DE","tags":["a","b"],"none":null,"customer":{"vip":true}}`
	for expression, want := range map[string]bool{
		`data.amount > 100`:   true,
		`data.amount > 100.5`: true,
		`data.amount == 120 && data.country in ["AT", "CH"]`: false,
		`data.price < 2`:                                      true,
		`has(data.coupon) && data.coupon != ""`:               false,
		`data.tags.exists(t, t == "b")`:                       true,
		`data.none == null`:                                   true,
		`data.customer.vip`:                                   true,
		`data.country.startsWith("D")`:                        true,
		`"coupon" in data`:                                    false,
		`data.amount % 7 == 1`:                                true,
		`timestamp("2026-01-01T00:00:00Z").getFullYear() > 1`: true,
	} {
		compiled, err := c.Compile(expression)
		require.NoError(t, err, expression)
		holds, err := compiled.Holds(json.RawMessage(data))
		require.NoError(t, err, expression)
		assert.Equal(t, want, holds, expression)
	}
}

func TestWhatIsNotAConditionIsRefusedAtRegistration(t *testing.T) {
	t.Parallel()
	c := compiler(t)
	for expression, message := range map[string]string{
		`data.amount >`:          "Syntax error",
		`amount > 1`:             "undeclared reference",
		`"yes"`:                  "must give a bool, not a value of type string",
		`1 + true`:               "no matching overload",
		`data.t.matches("(")`:    "error parsing regexp",
		`now() > data.x`:         "undeclared reference",
		strings.Repeat("(", 200): "recursion",
	} {
		_, err := c.Compile(expression)
		require.ErrorContains(t, err, message, expression)
		assert.NotContains(t, err.Error(), "\n")
	}
}

func TestAConditionWithoutAValueIsAnError(t *testing.T) {
	t.Parallel()
	c := compiler(t)
	for expression, message := range map[string]string{
		`data.missing`:            "no such key: missing",
		`data.text`:               "not a bool",
		`data.text > 5`:           "no such overload",
		`data.list[5] == 1`:       "index out of bounds",
		`1 / data.zero == 1`:      "division by zero",
		`data.missing.deep == 1`:  "no such key",
		`data.huge > 1 && data.x`: "no such",
	} {
		compiled, err := c.Compile(expression)
		require.NoError(t, err, expression)
		_, err = compiled.Holds(json.RawMessage(`{"text":"t","list":[1],"zero":0,"huge":1e999}`))
		require.ErrorContains(t, err, message, expression)
	}
}

func TestTheCostOfAConditionIsBounded(t *testing.T) {
	t.Parallel()
	compiled, err := compiler(t).Compile(`data.l.all(a, data.l.all(b, data.l.all(c, a + b + c >= 0)))`)
	require.NoError(t, err)
	list := make([]int, 2000)
	data, err := json.Marshal(map[string]any{"l": list})
	require.NoError(t, err)
	_, err = compiled.Holds(data)
	require.ErrorContains(t, err, "cost")
}

func FuzzHolds(f *testing.F) {
	f.Add(`data.a > 1`, `{"a":1}`)
	f.Add(`data.a[0].b`, `{"a":[{"b":true}]}`)
	c, err := condition.NewCompiler()
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, expression, data string) {
		if len(expression) > 1024 || !json.Valid([]byte(data)) {
			return
		}
		compiled, err := c.Compile(expression)
		if err != nil {
			return
		}
		first, firstErr := compiled.Holds(json.RawMessage(data))
		second, secondErr := compiled.Holds(json.RawMessage(data))
		assert.Equal(t, first, second)
		assert.Equal(t, fmt.Sprint(firstErr), fmt.Sprint(secondErr))
	})
}
