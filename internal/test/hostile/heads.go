package hostile

import (
	"fmt"
	"strings"
)

// heads returns requests with unusual or malformed heads. ID stands for a saga's id, and NAME for a definition's name, which
// must have five letters to match the lengths.
func heads() []string {
	const host = "Host: localhost\r\n"
	get := func(target, headers string) string {
		return "GET " + target + " HTTP/1.1\r\n" + host + headers + "\r\n"
	}
	post := func(headers, body string) string {
		return "POST /v1/sagas HTTP/1.1\r\n" + host + "Content-Type: application/json\r\n" + headers + "\r\n" + body
	}
	const start = `{"definition":"NAME"}`
	return []string{
		"", "\r\n\r\n", "\x00\x00\x00\x00", "GET\r\n\r\n", "GET /healthz\r\n\r\n", "GET /healthz HTTP/9.9\r\n\r\n", "GET /healthz HTTP/1.1\r\n\r\n",
		"GET /healthz HTTP/1.0\r\n\r\n", "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "get /healthz HTTP/1.1\r\n" + host + "\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "OPTIONS * HTTP/1.1\r\n" + host + "\r\n",
		"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", "TRACE / HTTP/1.1\r\n" + host + "\r\n", "BREW /v1/sagas HTTP/1.1\r\n" + host + "\r\n",
		get("http://localhost/healthz", ""), get("http://evil.example/v1/sagas", ""), get("*", ""), get("//v1/sagas", ""), get("/v1/../healthz", ""),
		get("/v1/sagas/%2f", ""), get("/v1/sagas/%00", ""), get("/v1/sagas/%ff%fe", ""), get("/v1/sagas/\xff\xfe", ""), get("/v1/sagas/ID%2fwhy", ""),
		get("/v1/sagas/%zz", ""), get("/v1/sagas?status=%zz", ""), get("/v1/sagas?"+strings.Repeat("a=b&", 2000), ""), get("/v1/sagas?limit=%00", ""),
		get("/"+strings.Repeat("x", 15<<10), ""), get("/v1/sagas/"+strings.Repeat("%2e", 500), ""), get("/v1/sagas?key=%E2%80%AE", ""),
		get("/v1/definitions/%2e%2e/versions/-1", ""), get("/v1/definitions/order/versions/99999999999999999999", ""), get("/v1/sagas#fragment", ""),
		get("/healthz", "Host: evil.example\r\n"), get("/healthz", "X: "+strings.Repeat("y", 20<<10)+"\r\n"), get("/healthz", strings.Repeat("X: y\r\n", 1000)),
		get("/healthz", "X : y\r\n"), get("/healthz", "X\r\n"), get("/healthz", "X: a\r\n b\r\n"), get("/healthz", "X: \x00\r\n"), get("/healthz", "X: \xff\r\n"),
		get("/v1/sagas", "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"), get("/v1/sagas/ID", "If-None-Match: \"\r\n"),
		get("/healthz", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"), get("/healthz", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
		get("/v1/sagas/ID/watch", "Last-Event-ID: \xff\r\n"), get("/v1/sagas/ID/watch", "Last-Event-ID: -9223372036854775808\r\n"), get("/v1/sagas/ID", "Range: bytes=0-0,1-1\r\n"),
		get("/healthz", "Content-Length: 5\r\n") + "abcde" + get("/healthz", ""), strings.Repeat(get("/healthz", ""), 50), strings.Repeat(post("Content-Length: 22\r\n", start), 20),
		get("/healthz", "Transfer-Encoding: chunked\r\n") + "zz\r\n", post("Transfer-Encoding: chunked\r\n", "ffffffffffffffff\r\n{"), post("Transfer-Encoding: chunked\r\n", "-1\r\n"),
		post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"),
		post("Content-Length: 3\r\nContent-Length: 4\r\n", "{}"), post("Content-Length: -1\r\n", ""), post("Content-Length: 99999999999999999999\r\n", "{}"),
		post("Content-Length: 1000000000\r\n", "{"), post("Expect: 100-continue\r\nContent-Length: 22\r\n", start), post("Expect: nonsense\r\nContent-Length: 2\r\n", "{}"),
		post("Content-Encoding: gzip\r\nContent-Length: 2\r\n", "{}"), post("Transfer-Encoding: chunked\r\n", "16\r\n"+start+"\r\n0\r\nX-Trailer: "+strings.Repeat("t", 20<<10)+"\r\n\r\n"),
		post("Idempotency-Key: \xff\r\nContent-Length: 22\r\n", start), post("Idempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: 22\r\n", start),
	}
}

// documents returns unusual and malformed JSON.
func documents() []string {
	return []string{
		"", " ", "{", "[]", "null", "true", "1", `""`, "\xef\xbb\xbf{}", `{}x`, `{} {}`, "{\x00}", `{"a":1,"a":2}`, `{"\u0000":1}`, `{"a":"\u0000"}`, `{"a":"\ud800"}`,
		`{"a":"\udfff\ud800"}`, "{\"a\":\"\xff\"}", `{"a":1e400}`, `{"a":-0}`, `{"a":1e-400}`, `{"a":` + strings.Repeat("9", 1000) + `}`, `{"a":01}`, `{"a":+1}`, `{"a":NaN}`,
		`{"a":Infinity}`, `{"a":.5}`, `{'a':1}`, `{"a":1,}`, `{"a":/**/1}`, `{"a":"` + strings.Repeat("x", 300<<10) + `"}`,
		`{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, `{"a":` + strings.Repeat(`{"a":`, 5_000) + "1" + strings.Repeat("}", 5_000) + `}`,
		`{"a":[` + strings.Repeat("1,", 100_000) + `1]}`, `{"__proto__":{"a":1},"constructor":null}`, `{"a":"` + strings.Repeat(`\u2028`, 1000) + `"}`, `{"a":null,"b":{"c":null}}`,
	}
}

// bodies returns request bodies that contain a document.
func bodies(document string) []string {
	return []string{
		document,
		fmt.Sprintf(`{"definition":"NAME","data":%s}`, document),
		fmt.Sprintf(`{"definition":"NAME","labels":%s,"key":%s}`, document, document),
		fmt.Sprintf(`{"step":"reserve","reason":%s,"output":%s}`, document, document),
		fmt.Sprintf(`{"steps":[{"name":%s,"command":"a.b","retry":%s}]}`, document, document),
		fmt.Sprintf(`{"reason":"hostile","patch":%s}`, document),
	}
}

// calls returns the calls that accept a body.
func calls() [][2]string {
	all := [][2]string{
		{"POST", "/v1/sagas"}, {"POST", "/v1/sagas?wait=1s"}, {"PATCH", "/v1/sagas/ID/data?reason=hostile"}, {"PUT", "/v1/definitions/hostile"}, {"POST", "/v1/keys"},
	}
	for _, action := range []string{"retry", "skip", "compensate", "acknowledge", "pause", "resume"} {
		all = append(all, [2]string{"POST", "/v1/sagas/ID/" + action})
	}
	return all
}
