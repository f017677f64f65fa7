package condition_test

import (
	"encoding/json"
	"testing"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The charge for a call must not change what it returns: CEL alone gives the same value, or the same fault.
func TestAChargedConditionHasTheValueThatCELGives(t *testing.T) {
	t.Parallel()
	env, err := cel.NewEnv(cel.Variable("data", cel.MapType(cel.StringType, cel.DynType)), cel.CrossTypeNumericComparisons(true))
	require.NoError(t, err)
	data := func() map[string]any {
		return map[string]any{
			"i": int64(7), "d": 1.5, "s": "text", "n": nil, "b": true, "k": "i", "l": []any{int64(1), "a", 2.0, []any{int64(1)}},
			"m": map[string]any{"a": int64(1), "b": map[string]any{"c": "x"}}, "t": "2026-01-02T03:04:05Z", "p": "^t.*t$", "bad": "(",
		}
	}
	encoded, err := json.Marshal(data())
	require.NoError(t, err)
	for _, expression := range []string{
		`data.i + 1 == 8`, `data.i - 1 == 6 && data.i * 2 == 14 && data.i / 2 == 3 && data.i % 2 == 1 && -data.i == -7`, `data.d + 1.0 == 2.5`,
		`data.s + "x" == "textx"`, `data.l + [1] == [1, "a", 2.0, [1], 1]`, `data.i + data.s == 1`, `data.i + 1.0 == 8.0`, `-data.s == 1`,
		`data.i == 7.0`, `data.i != 7`, `data.i < 7.5`, `data.s < "u"`, `data.s >= data.i`, `data.b > false`, `data.n == null`, `data.n == data.i`,
		`data.l == [1, "a", 2, [1]]`, `data.l != data.l`, `data.m == {"a": 1, "b": {"c": "x"}}`, `data.m == data.l`, `data.m != data.m.b`, `data.zero == 1`,
		`"a" in data.m`, `"z" in data.m`, `1 in data.l`, `2 in data.l`, `[1] in data.l`, `data.s in ["a", "text"]`, `1 in data.i`, `data.i in [7.0]`, `data.i in {7: 1}`,
		`data[data.k] == 7`, `data[data.s] == 7`, `data.m["b"]["c"] == "x"`, `data.l[0] == 1`, `data.l[data.i] == 1`, `data.l[data.s] == 1`, `data.m[data.i] == 1`,
		`data[data.m.b.c] == 1`, `data.l[[0, 1][1]] == "a"`, `data.l[data.b ? 1 : 0] == "a"`, `(data.b ? data.m : data.l).a == 1`, `{"x": data.m}.x.a == 1`,
		`has(data.m.a) && !has(data.m.z) && has(data.m.b.c)`, `has(data.s.a)`, `has(data.z.a)`, `data.s.a == 1`, `data.n.a == 1`, `data.l.a == 1`,
		`size(data.s) == 4 && size(data.l) == 4 && data.m.size() == 2`, `size(data.i) == 1`, `data.s.size() == 4`, `"é".size() == 1`,
		`data.s.startsWith("te") && data.s.endsWith("xt") && data.s.contains("ex")`, `data.i.startsWith("te")`, `data.s.contains(data.i)`,
		`data.s.matches("^t")`, `data.s.matches(data.p)`, `data.s.matches(data.bad)`, `data.i.matches("a")`, `data.s.matches(data.i)`, `matches(data.s, "x")`,
		`int("12") == 12 && int(data.d) == 1 && int(data.s) == 1`, `double("1.5") == data.d`, `string(data.i) == "7" && string(data.d) == "1.5"`, `uint(data.i) == 7u`,
		`bytes(data.s) == b"text" && string(b"a") == "a"`, `bool("true") && bool(data.s)`, `dyn(data.i) == 7`, `type(data.i) == int && type(data.m) == map`,
		`timestamp(data.t) > timestamp("2026-01-01T00:00:00Z")`, `timestamp(data.s) > timestamp(0)`, `timestamp(data.t).getHours() == 3`,
		`timestamp(data.t).getHours("+02:00") == 5`, `timestamp(data.t).getHours("None") == 5`, `timestamp(data.t) - timestamp(data.t) == duration("0s")`,
		`timestamp(data.t) + duration("1h") > timestamp(data.t)`, `duration("90m").getMinutes() == 90`, `duration(data.s) == duration("1s")`, `data.s.getHours() == 1`,
		`data.l.all(x, x != 9)`, `data.l.exists(x, x == "a")`, `data.l.exists_one(x, x == 1)`, `data.l.map(x, [x]).size() == 4`, `data.l.filter(x, x == 1) == [1]`,
		`data.m.all(k, k < "c")`, `data.m.map(k, data.m[k]).size() == 2`, `data.i.all(x, true)`, `data.l.all(x, x > 0)`, `data.l.exists(x, x > 5)`,
		`data.z == 1 || data.b`, `data.z == 1 && !data.b`, `data.i || data.b`, `data.i ? true : false`, `!data.b`, `!data.i`, `data.z ? true : false`, `data.i`,
	} {
		ast, issues := env.Compile(expression)
		require.NoError(t, issues.Err(), expression)
		program, err := env.Program(ast)
		require.NoError(t, err)
		want, _, wanted := program.Eval(map[string]any{"data": data()})

		compiled, err := compiler(t).Compile(expression)
		require.NoError(t, err, expression)
		holds, found := compiled.Holds(encoded)
		if wanted != nil {
			require.EqualError(t, found, wanted.Error(), expression)
			continue
		}
		if value, is := want.(types.Bool); is {
			require.NoError(t, found, expression)
			assert.Equal(t, bool(value), holds, expression)
		}
	}
}
