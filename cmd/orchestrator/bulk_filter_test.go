package main

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAFilterMayHoldAnyText(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		`again,status=stuck\`, `\t\u0041`, "tab\tline\nreturn\r", "a\u200bb\u2028c\u00a0d\x1b\x7f", "tag\U000e0001 and 😀 ü", `"quoted" 'x'`,
	} {
		shown := filterValue(value)
		assert.Equal(t, shown, plain(shown), "a terminal shows it as it is")
		pairs, err := splitFilter("error_code=" + shown + ",step=a")
		require.NoError(t, err)
		assert.Equal(t, []string{"error_code=" + value, "step=a"}, pairs)
	}
	assert.Equal(t, `a\tb\nc\u200bd`, filterValue("a\tb\nc\u200bd"))
	for text, want := range map[string]string{`a\xb\"c`: `axb"c`, `\u00e4\u00C4`: "äÄ", `\\u0041`: `\u0041`, `end\`: "end", `\ud83d\ude00`: "😀"} {
		pairs, err := splitFilter(text)
		require.NoError(t, err)
		assert.Equal(t, []string{want}, pairs, text)
	}
	for _, text := range []string{`\u`, `\u12`, `\u12,4`, `\u+123`, `\u00ü1`} {
		_, err := splitFilter("key=" + text)
		require.ErrorContains(t, err, "four hexadecimal digits", text)
	}
}

func TestTheFilterOfAGroupCanBePasted(t *testing.T) {
	t.Parallel()
	url, last := pretending(t, http.StatusOK, `{"total":1,"items":[{"count":1,"definition":"order","reason":"step_failed","step":"a",
		"filter":{"step":"a","error_code":"x\ty\u200b\u2028"}}],"matched":0}`)
	shown := execute(t, "", "stuck", "--groups", "--server", url)
	const filter = `definition=order,attention_reason=step_failed,step=a,error_code=x\ty\u200b\u2028`
	require.Contains(t, shown.out, filter)
	r := execute(t, "", "sagas", "retry", "--filter", filter, "--reason", "r", "--dry-run", "--server", url)
	require.Equal(t, exitDone, r.code, r.err)
	var sent struct{ Filter map[string]any }
	require.NoError(t, json.Unmarshal([]byte(last.body), &sent))
	assert.Equal(t, "x\ty\u200b\u2028", sent.Filter["error_code"])
}

func TestAFilterThatTheAPIDoesNotHaveIsWrongUsage(t *testing.T) {
	t.Parallel()
	for _, line := range [][]string{
		{"sagas", "pause", "--filter", "foo=x", "--reason", "x"},
		{"sagas", "retry", "--filter", "queue=x", "--reason", "x"},
		{"dead-letters", "discard", "--filter", "status=stuck", "--reason", "x"},
		{"sagas", "pause", "--filter", `key=\u1`, "--reason", "x"},
	} {
		r := execute(t, "", line...)
		assert.Equal(t, exitUsage, r.code, "%v: %s", line, r.err)
		assert.Contains(t, r.err, "--filter")
	}
}

func TestFiltersHaveTheNamesOfTheAPI(t *testing.T) {
	t.Parallel()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, open(t).url+"/openapi.json", nil)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	var document struct {
		Paths map[string]struct {
			Get struct {
				Parameters []struct{ In, Name string }
			}
		}
	}
	require.NoError(t, json.Unmarshal(content, &document))
	for path, names := range map[string][]string{"/v1/sagas": sagaFilters(), "/v1/dead-letters": letterFilters()} {
		want := []string{"ids"} // of bulk actions only
		for _, parameter := range document.Paths[path].Get.Parameters {
			if parameter.In == "query" && !slices.Contains([]string{"limit", "cursor"}, parameter.Name) {
				want = append(want, parameter.Name)
			}
		}
		assert.ElementsMatch(t, want, names, path)
	}
}
