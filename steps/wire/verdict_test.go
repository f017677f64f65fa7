package wire_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const answered = "saga-1/charge/execute/1"

// verdict is a clear reply and the members of it that count.
type verdict struct {
	body          string
	code, message string // of a failure
	final         bool   // not retryable
	output        string // of a success
	outputFault   string // a part of it
}

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func repeated(s string, n int) string { return strings.Repeat(s, n) }

// clearVerdicts are replies that workers in other languages write, or may write.
func clearVerdicts() map[string]verdict {
	failed := func(message string) string {
		return `{"status":"failed","error":{"code":"no","retryable":false,"message":` + message + `}}`
	}
	with := func(member string) string { return `{"status":"failed","error":{"code":"no"},` + member + `}` }
	return map[string]verdict{
		"a message at the limit":       {body: failed(`"` + repeated("m", 4096) + `"`), code: "no", final: true, message: repeated("m", 4096)},
		"a message over the limit":     {body: failed(`"` + repeated("m", 5130) + `"`), code: "no", final: true, message: repeated("m", 4096)},
		"one that ends inside a rune":  {body: failed(`"` + repeated("m", 4095) + `é"`), code: "no", final: true, message: repeated("m", 4095)},
		"a message of 200 kB":          {body: failed(`"` + repeated("m", 200_000) + `"`), code: "no", final: true, message: repeated("m", 4096)},
		"a NUL in the message":         {body: failed(`"a\u0000b"`), code: "no", final: true, message: "a\uFFFDb"},
		"a lone high surrogate":        {body: failed(`"a\ud800b"`), code: "no", final: true, message: "a\uFFFDb"},
		"a lone low surrogate":         {body: failed(`"a\udcffb"`), code: "no", final: true, message: "a\uFFFDb"},
		"invalid UTF-8":                {body: failed("\"a\xffb\""), code: "no", final: true, message: "a\uFFFDb"},
		"a number as message":          {body: failed(`1.50`), code: "no", final: true, message: "1.50"},
		"a number no double holds":     {body: failed(`1e999`), code: "no", final: true, message: "1e999"},
		"an object as message":         {body: failed(`{"a":[1]}`), code: "no", final: true, message: `{"a":[1]}`},
		"null as message":              {body: failed(`null`), code: "no", final: true},
		"a code over the limit":        {body: `{"status":"failed","error":{"code":"` + repeated("c", 129) + `"}}`, code: repeated("c", 128)},
		"a code at the limit":          {body: `{"status":"failed","error":{"code":"` + repeated("c", 128) + `"}}`, code: repeated("c", 128)},
		"a NUL in the code":            {body: `{"status":"failed","error":{"code":"a\u0000"}}`, code: "a\uFFFD"},
		"a number as code":             {body: `{"status":"failed","error":{"code":402}}`, code: "402"},
		"a boolean as code":            {body: `{"status":"failed","error":{"code":false}}`, code: "false"},
		"null as code":                 {body: `{"status":"failed","error":{"code":null}}`, code: "failed"},
		"an empty code":                {body: `{"status":"failed","error":{"code":""}}`, code: "failed"},
		"retryable of another type":    {body: `{"status":"failed","error":{"code":"no","retryable":"no"}}`, code: "no"},
		"retryable null":               {body: `{"status":"failed","error":{"code":"no","retryable":null}}`, code: "no"},
		"an error that is a string":    {body: `{"status":"failed","error":"out of stock"}`, code: "failed", message: "out of stock"},
		"an error that is an array":    {body: `{"status":"failed","error":["a"]}`, code: "failed", message: `["a"]`},
		"no error":                     {body: `{"status":"failed"}`, code: "failed"},
		"an error of null":             {body: `{"status":"failed","error":null}`, code: "failed"},
		"a failure with an output":     {body: with(`"output":{"a":"\u0000"}`), code: "no"},
		"such an output, an array":     {body: with(`"output":[1]`), code: "no"},
		"details with a NUL":           {body: `{"status":"failed","error":{"code":"no","details":{"a\u0000":"\udc00"}}}`, code: "no"},
		"a deep unknown member":        {body: with(`"trace":` + nested(33)), code: "no"},
		"a very deep one":              {body: with(`"trace":` + nested(100_000)), code: "no"},
		"deep details":                 {body: `{"status":"failed","error":{"code":"no","details":` + nested(20_000) + `}}`, code: "no"},
		"a very deep message":          {body: failed(nested(20_000)), code: "no", final: true, message: repeated("[", 4096)},
		"many members":                 {body: with(`"trace":[` + repeated("1,", 20_000) + `1]`), code: "no"},
		"a huge number":                {body: with(`"n":1e999,"m":` + repeated("9", 5000)), code: "no"},
		"a huge string":                {body: with(`"log":"` + repeated("x", 200_000) + `"`), code: "no"},
		"an unknown member twice":      {body: with(`"a":1,"a":2`), code: "no"},
		"the same status twice":        {body: with(`"status":"failed"`), code: "no"},
		"two codes":                    {body: `{"status":"failed","error":{"code":"a","code":"b"}}`, code: "b"},
		"two errors":                   {body: `{"status":"failed","error":{"code":"a"},"error":{"code":"b"}}`, code: "failed"},
		"two that are equal":           {body: `{"status":"failed","error":{"code":"a","retryable":false},"error":{"code":"a","retryable":false,"message":"m"}}`, code: "a", final: true, message: "m"},
		"two that differ in retryable": {body: `{"status":"failed","error":{"code":"a"},"error":{"code":"a","retryable":false}}`, code: "a"},
		"three that are not all equal": {body: `{"status":"failed","error":{"code":"a","retryable":false},"error":{"code":"b","retryable":false},"error":{"code":"a","retryable":false}}`, code: "failed", final: true},
		"an error and null":            {body: `{"status":"failed","error":{"code":"a","retryable":false},"error":null}`, code: "a", final: true},
		"a byte order mark":            {body: "\ufeff" + `{"status":"failed","error":{"code":"no"}}`, code: "no"},
		"white space around":           {body: " \r\n\t" + with(`"a":"\ud800"`) + "\n", code: "no"},
		"a newline in the message":     {body: failed("\"a\nb\""), code: "no", final: true, message: "a\nb"},
		"control characters":           {body: failed("\"a\x00\x1b\tb\\\"\""), code: "no", final: true, message: "a\uFFFD\x1b\tb\""},
		"NaN":                          {body: with(`"took":NaN,"of":[Infinity,-Infinity]`), code: "no"},
		"the words of C and Go":        {body: with(`"a":nan,"b":[-nan,inf,-inf,+Inf,NAN,INFINITY]`), code: "no"},
		"NaN within a text":            {body: failed("\"NaN\n\""), code: "no", final: true, message: "NaN\n"},
		"zero bytes at the end":        {body: with(`"a":1`) + "\x00\x00", code: "no"},
		"zero bytes among white space": {body: with(`"a":1`) + "\n\x00\n\x00", code: "no"},
		"NaN as message":               {body: failed(`NaN`), code: "no", final: true, message: "NaN"},
		"an escaped status":            {body: `{"st\u0061tus":"f\u0061iled","error":{"code":"no"},"a":"\ud800"}`, code: "no"},

		"a path on Windows":            {body: failed(`"C:\users\temp"`), code: "no", final: true, message: "C:\\users\temp"},
		"escapes of other languages":   {body: failed(`"\x41\'\u12\uD8\0\$\é\/"`), code: "no", final: true, message: `\x41\'\u12\uD8\0\$\é/`},
		"one beside NaN and a newline": {body: failed("\"\\d\n\",\"took\":NaN"), code: "no", final: true, message: "\\d\n"},
		"one in the code":              {body: `{"status":"failed","error":{"code":"a\c"}}`, code: `a\c`},
		"one in an unknown member":     {body: with(`"\pa\th":"\q"`), code: "no"},
		"a backslash before a newline": {body: failed("\"a\\\nb\""), code: "no", final: true, message: `a\u000ab`},

		"a success":                      {body: `{"status":"succeeded","output":{"a":1}}`, output: `{"a":1}`},
		"one with NaN in the output":     {body: `{"status":"succeeded","output":{"a":NaN}}`, outputFault: "output: NaN or an infinity"},
		"one with NaN elsewhere":         {body: `{"status":"succeeded","output":{"a":1},"took":NaN}`, output: `{"a":1}`},
		"one with a raw newline":         {body: "{\"status\":\"succeeded\",\"output\":{\"a\":\"b\nc\"}}", output: `{"a":"b\u000ac"}`},
		"one without output":             {body: `{"status":"succeeded"}`},
		"one with an unclean member":     {body: `{"status":"succeeded","output":{"a":1},"log":"\u0000\ud800","deep":` + nested(20_000) + `}`, output: `{"a":1}`},
		"one with null as error":         {body: `{"status":"succeeded","error":null,"x":"\ud800"}`},
		"an output with a long string":   {body: `{"status":"succeeded","output":{"a":"` + repeated("x", 200_000) + `"}}`, output: `{"a":"` + repeated("x", 200_000) + `"}`},
		"one with a long number":         {body: `{"status":"succeeded","output":{"a":0.` + repeated("3", 999) + `}}`, output: `{"a":0.` + repeated("3", 999) + `}`},
		"an output with a NUL":           {body: `{"status":"succeeded","output":{"a":"\u0000"}}`, outputFault: "NUL character at byte 6"},
		"one with a lone surrogate":      {body: `{"status":"succeeded","output":{"a":"\ud800"}}`, outputFault: "lone surrogate at byte 6"},
		"one with invalid UTF-8":         {body: "{\"status\":\"succeeded\",\"output\":{\"a\":\"\xff\"}}", outputFault: "UTF-8 at byte 6"},
		"one with an odd escape":         {body: `{"status":"succeeded","output":{"a":"C:\users"}}`, outputFault: "output: an escape that JSON does not have"},
		"one with it in a name":          {body: `{"status":"succeeded","output":{"\a":1}}`, outputFault: "output: an escape that JSON does not have"},
		"one with it elsewhere":          {body: `{"status":"succeeded","output":{"a":"\t"},"log":"C:\users"}`, output: `{"a":"\t"}`},
		"one that is too deep":           {body: `{"status":"succeeded","output":{"a":` + nested(32) + `}}`, outputFault: "deeper than 32"},
		"one that is far too deep":       {body: `{"status":"succeeded","output":{"a":` + nested(50_000) + `}}`, outputFault: "deeper than 32"},
		"one with too many members":      {body: `{"status":"succeeded","output":{"a":[` + repeated("1,", 10_000) + `1]}}`, outputFault: "more than 10000"},
		"one with too long a number":     {body: `{"status":"succeeded","output":{"a":0.` + repeated("3", 1000) + `}}`, outputFault: "1001 digits at byte 5"},
		"one with a number out of range": {body: `{"status":"succeeded","output":{"a":1e999}}`, outputFault: "at byte 5"},
		"one with a member twice":        {body: `{"status":"succeeded","output":{"a":1,"a":2}}`, outputFault: "repeated"},
		"one with two outputs":           {body: `{"status":"succeeded","output":{"x":1},"output":{"x":2}}`, outputFault: "output: repeated with another value"},
		"one with three":                 {body: `{"status":"succeeded","output":{"x":1},"output":{},"output":{"x":1}}`, outputFault: "output: repeated with another value"},
		"one with the same output twice": {body: `{"status":"succeeded","output":{"x":1, "y":[]},"output":{ "x":1,"y":[]}}`, output: `{ "x":1,"y":[]}`},
		"one with an output and null":    {body: `{"status":"succeeded","output":{"x":1},"output":null}`, output: `{"x":1}`},
		"one that is not an object":      {body: `{"status":"succeeded","output":[1]}`, outputFault: "JSON object"},
		"one that is a string":           {body: `{"status":"succeeded","output":"done"}`, outputFault: "JSON object, not a string"},
		"one that cannot be sent":        {body: `{"status":"succeeded","output":"it has 300 KiB"}`, outputFault: "the dead letter of the reply has it"},
	}
}

// A clear verdict counts, whatever its text is like.
func TestAClearVerdictCounts(t *testing.T) {
	t.Parallel()
	for name, want := range clearVerdicts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.LessOrEqual(t, len(want.body), wire.MaxReplyBytes)
			reply, err := wire.DecodeReply(answered, []byte(want.body))
			require.NoError(t, err)
			if want.code != "" {
				require.Equal(t, &saga.ReplyError{Code: want.code, Message: want.message, Retryable: !want.final}, reply.Error)
				require.True(t, utf8.ValidString(reply.Error.Code+reply.Error.Message))
				return
			}
			require.True(t, reply.Succeeded)
			if want.outputFault != "" {
				require.Contains(t, reply.OutputFault, want.outputFault)
				require.Less(t, len(reply.OutputFault), 120, "it must not repeat the content")
				return
			}
			require.Empty(t, reply.OutputFault)
			require.Equal(t, want.output, string(reply.Output))
		})
	}
}

// A reply is refused only if it does not say what happened.
func TestAnUnclearReplyIsRefused(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		``, ` `, `1`, `null`, `[]`, `"succeeded"`, `{}`, `{"status":1}`, `{"status":null}`, `{"status":""}`, `{"status":"SUCCEEDED"}`,
		`{"Status":"succeeded"}`, `{"status":"done"}`, `{"status":["failed"]}`,
		`{"status":"succeeded","error":{}}`, `{"status":"succeeded","error":{"code":"no"}}`,
		`{"status":"succeeded","error":{"code":"no"},"error":null}`,
		`{"status":"failed","status":"succeeded"}`, `{"status":"succeeded","status":"failed","a":"\ud800"}`,
		`{"status":"failed","a":"\ud800","status":null}`,
		`{"status":"succeeded"}{"status":"failed"}`, `{"status":"failed"} x`, `{"status":"failed"`, `{"status":"failed","a":}`,
		`{"status":"failed",}`, `{"status":"failed" "a":1}`, `{"status":"failed","a":"\x}`, `{"status":"failed","a":\x}`, `{"status":"failed\x"}`, `{"\status":"failed"}`,
		`{"status":"failed","a":"\"}`, `{"status":"succeeded\q","x":"\q"}`, `{"status":"failed","status":"succeeded","a":"\q"}`,
		`{"status":"failed","a":[1 2]}`, `{"status":"failed","a":[1,]}`, `{"status":"failed","a":` + strings.Repeat("[", 50_000) + `}`,
		"\ufeff\ufeff{\"status\":\"failed\"}", `{"status":"failed","x":"` + strings.Repeat("x", wire.MaxReplyBytes) + `"}`,
	} {
		_, err := wire.DecodeReply(answered, []byte(body))
		require.Error(t, err, body[:min(len(body), 100)])
		requireDiscreet(t, err)
	}
}

// The limit of a whole reply is exact, and the error names it.
func TestTheSizeOfAReplyIsLimited(t *testing.T) {
	t.Parallel()
	frame := `{"status":"failed","x":""}`
	full := strings.Replace(frame, `""`, `"`+strings.Repeat("x", wire.MaxReplyBytes-len(frame))+`"`, 1)
	_, err := wire.DecodeReply(answered, []byte(full))
	require.NoError(t, err)
	_, err = wire.DecodeReply(answered, []byte(full+" "))
	require.EqualError(t, err, "body: 262145 bytes, the limit is 262144")
}

func TestAReasonInPlaceOfTheOutputIsASuccessWithoutOne(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{"", "NaN \x00 \"quoted\" \xff", repeated("é", 1_000_000)} {
		body, err := wire.SucceededWithout(reason).Encode()
		require.NoError(t, err)
		reply, err := wire.DecodeReply(answered, body)
		require.NoError(t, err)
		require.True(t, reply.Succeeded)
		require.Contains(t, reply.OutputFault, "JSON object, not a string")
	}
}
