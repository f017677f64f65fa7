package condition_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/condition"
	"github.com/saga-orchestrator/orchestrator/saga/pattern"
)

// soon is far more than an evaluation takes, and far less than these took without their cost.
const soon = 30 * time.Second

func list(element string, times int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(element+",", times), ",") + "]"
}

func text(bytes int) string { return strings.Repeat("a", bytes) }

// costly are conditions that would take from a second to years over their data.
func costly() map[string]string {
	numbers, few := list("1", 500_000), list("1", 100_000)
	objects := list(`{"a":1,"b":"xx"}`, 50_000)
	long := fmt.Sprintf(`{"s":%q,"m":{"s":%[1]q},"l":%s}`, text(500_000), few)
	shared := func(inside string) string { // a list that holds itself twice, thirty levels deep
		expression, end := "[[1]].all(x0, ", ")"
		for i := range 30 {
			expression += fmt.Sprintf("[[x%d,x%d]].all(x%d,", i, i, i+1)
			end += ")"
		}
		return expression + inside + end
	}
	return map[string]string{
		`data.s.matches(data.s)`:                                  fmt.Sprintf(`{"s":%q}`, text(100_000)),
		`data.s.matches("((a{0,30}){0,30})$")`:                    fmt.Sprintf(`{"s":%q}`, text(200_000)),
		`data.l.all(x, data.s.matches("(a?){20}b") || true)`:      fmt.Sprintf(`{"s":%q,"l":%s}`, text(2000), few),
		`data.l.all(x, data.s.matches(data.p) || true)`:           `{"s":"a","p":"(?i)[B-\\x{1E942}]","l":` + few + `}`,
		`data.l.exists(x, data.s.matches(data.p))`:                `{"s":"b","p":"a{1000}","l":` + few + `}`,
		`data.s.matches(data.p)`:                                  fmt.Sprintf(`{"s":"a","p":%q}`, strings.Repeat(`\pL`, 100_000)),
		`data.l.all(x, data == data)`:                             `{"l":` + numbers + `}`,
		`data.l.all(x, data.l != data.l || true)`:                 `{"l":` + objects + `}`,
		`data.l.all(x, x in data.l)`:                              `{"l":` + list(`"`+text(300)+`"`, 3000) + `}`,
		`data.l.all(x, x + 0.5 in data.l || true)`:                `{"l":` + list("1.0", 200_000) + `}`,
		`data.l.all(x, {"z": x} in data.l || true)`:               `{"l":` + objects + `}`,
		`data.l.map(x, data.l) == data.l.map(x, data.l)`:          `{"l":` + list("1", 1000) + `}`,
		`data.l.all(x, data.l.all(y, data.l.all(z, z >= 0)))`:     `{"l":` + numbers + `}`,
		`data.l.all(x, data[data.s] == 1 || true)`:                long,
		`data.l.all(x, data[[data.s][0]] == 1 || true)`:           long,
		`data.l.all(x, has(data[data.s].x) || true)`:              long,
		`data.l.all(x, data[data.m.s] == 1 || true)`:              long,
		`data.l.all(x, data[data.s + ""] == 1 || true)`:           long,
		`data.l.all(x, data[true ? data.s : ""] == 1 || true)`:    long,
		`data.l.all(x, {}[data.s] == 1 || true)`:                  long,
		`data.l.all(x, {"a":{}}["a"][data.s] == 1 || true)`:       long,
		`[data.s].all(y, data.l.all(x, data[y] == 1 || true))`:    long,
		`[data.s].all(y, data.l.all(x, data.m[y] == 1 || true))`:  long,
		`data.l.all(x, {data.s: 1} != {})`:                        long,
		`data.l.all(x, data.s in [data.s] || true)`:               long,
		`data.l.all(x, data.s in data || true)`:                   long,
		`data.l.all(x, data.s <= data.s)`:                         long,
		`data.l.all(x, size(data.s) > 0)`:                         long,
		`data.l.all(x, data.s.contains("b") || true)`:             long,
		`data.l.all(x, data.s.endsWith(data.s))`:                  long,
		`data.l.all(x, data.s + data.s == "a" || true)`:           long,
		`data.l.all(x, int(data.s) == 1 || true)`:                 long,
		`data.l.all(x, bool(data.s) || true)`:                     long,
		`data.l.all(x, timestamp(data.s) > timestamp(0) || true)`: long,
		`data.l.all(x, duration(data.s) == duration("1s")||true)`: long,
		`data.l.all(x, bytes(data.s) == b"a" || true)`:            long,
		`data.l.all(x, (true ? data.s : "") == data.s)`:           long,
		`data.l.all(x, timestamp(0).getHours("Europe/Rome") > 0)`: `{"l":` + few + `}`,
		`data.l.all(x, timestamp(0).getHours("None") > 0||true)`:  `{"l":` + few + `}`,
		shared(`x30 == x30`):                                      `{}`,
		shared(`[x30] in [[x30]]`):                                `{}`,
	}
}

func TestAConditionThatWouldTakeLongFailsSoon(t *testing.T) {
	t.Parallel()
	for expression, data := range costly() {
		begun := time.Now()
		compiled, err := compiler(t).Compile(expression)
		require.NoError(t, err, expression)
		_, work, err := compiled.(saga.MeteredCondition).Evaluate(json.RawMessage(data))
		require.ErrorContains(t, err, "cost limit exceeded", expression)
		assert.Greater(t, work, 300*time.Millisecond, expression)
		assert.Less(t, time.Since(begun), soon, expression)
	}
}

func TestConditionsOverLargeDataStayAffordable(t *testing.T) {
	t.Parallel()
	items := make([]map[string]any, 10_000)
	for i := range items {
		items[i] = map[string]any{"sku": fmt.Sprintf("AB-%07d", i), "qty": 2, "price": 9.5, "tags": []string{"new", "sale"}}
	}
	data, err := json.Marshal(map[string]any{"amount": 7, "items": items, "note": text(100_000), "email": "someone@example.com"})
	require.NoError(t, err)
	for _, expression := range []string{
		`data.amount > 5 && data.items.size() == 10000`,
		`data.items.all(i, i.qty > 0 && i.price < 10.0)`,
		`data.items.exists(i, i.sku == "AB-0009999")`,
		`data.items.all(i, "sale" in i.tags)`,
		`data.items.all(i, i.sku.startsWith("AB-"))`,
		`data.items.all(i, i.sku.matches("^[A-Z]{2}-[0-9]{7}$"))`,
		`data.items.filter(i, i.qty == 2).map(i, i.sku).size() == 10000`,
		`data.email.matches("^[^@]+@[^@]+\\.[a-z]{2,}$")`,
		`data.note.contains("b") || data.note.size() == 100000`,
		`data.items == data.items`,
		`!data.items.exists(i, i.sku == data.note)`,
		`data.items.all(i, data.note != i.sku && !(data.note in i.tags))`,
		`data.items.all(i, (i.qty > 1 ? data.note : i.sku) != "")`,
		`data.items.map(i, {"sku": i.sku, "note": data.note}).size() == 10000`,
	} {
		compiled, err := compiler(t).Compile(expression)
		require.NoError(t, err, expression)
		holds, err := compiled.Holds(data)
		require.NoError(t, err, expression)
		assert.True(t, holds, expression)
	}
}

// A stored condition is read, so that its sagas stay readable, but it cannot be registered.
func TestAConstantPatternThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	refusal := func(letters int) (error, error) {
		compiled, err := compiler(t).Compile(fmt.Sprintf(`data.s.matches(%q)`, text(letters)))
		require.NoError(t, err)
		_, err = compiled.Holds(json.RawMessage(`{"s":"b"}`))
		return compiled.(interface{ Refusal() error }).Refusal(), err
	}
	refused, err := refusal(pattern.MaxSize - 2)
	require.NoError(t, refused)
	require.NoError(t, err)
	refused, err = refusal(pattern.MaxSize - 1)
	require.ErrorContains(t, refused, "more than 10000 instructions")
	require.ErrorContains(t, err, "10000 instructions")
}

// An evaluation has a count of its own, so that others at the same time neither share it nor change it.
func TestAConditionIsEvaluatedByManyAtATime(t *testing.T) {
	t.Parallel()
	c, err := condition.NewCompiler()
	require.NoError(t, err)
	compiled, err := c.Compile(`data.l.all(x, x in data.l)`)
	require.NoError(t, err)
	data := json.RawMessage(`{"l":` + list("1", 1000) + `}`)
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			for range 50 {
				holds, err := compiled.Holds(data)
				require.NoError(t, err)
				assert.True(t, holds)
			}
		})
	}
}
