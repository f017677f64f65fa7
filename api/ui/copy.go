package ui

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// sameBy shows how to do the same without the page.
type sameBy struct {
	CLI  string
	Curl string
}

// origin returns the address of the server, as the browser reached it, with the base path.
func (p *page) origin(r *http.Request) string {
	scheme := "http"
	if secure(r) {
		scheme = "https"
	}
	return scheme + "://" + r.Host + p.BasePath
}

// curl returns a command line that sends a request to the API.
func (p *page) curl(r *http.Request, method, path string, body any) string {
	var line strings.Builder
	line.WriteString("curl")
	if method != http.MethodGet {
		line.WriteString(" -X " + method)
	}
	line.WriteString(" " + quoted(p.origin(r)+path))
	if p.Auth {
		line.WriteString(` -H "Authorization: Bearer $ORCHESTRATOR_KEY"`)
	}
	if body != nil {
		content, err := encoded(body)
		if err == nil {
			line.WriteString(" -H 'Content-Type: application/json' -d " + quoted(string(content)))
		}
	}
	return line.String()
}

// cli returns a command line of the program. Flags are names and values in turn; an empty value is left out.
func (p *page) cli(r *http.Request, words []string, flags ...string) string {
	line := []string{"orchestrator"}
	for _, word := range words {
		line = append(line, quoted(word))
	}
	for i := 0; i+1 < len(flags); i += 2 {
		switch {
		case flags[i+1] == "":
		case flags[i] == "attention" || flags[i] == "paused":
			line = append(line, "--"+flags[i])
		default:
			line = append(line, "--"+flags[i], quoted(flags[i+1]))
		}
	}
	if address := p.origin(r); address != "http://127.0.0.1:8080" {
		line = append(line, "--server", quoted(address))
	}
	return strings.Join(line, " ")
}

// quoted quotes a word for a shell, if it needs that.
func quoted(word string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./:=@%+,", c)
	}
	if word != "" && strings.TrimFunc(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// optionalJSON returns the text as JSON; nil if it is blank.
func optionalJSON(text, what string) (json.RawMessage, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	if !json.Valid([]byte(text)) {
		return nil, refused(http.StatusUnprocessableEntity, "invalid_field", what+" is not valid JSON"+where(text)+".")
	}
	return json.RawMessage(text), nil
}

// where names the line at which a text stops being JSON.
func where(text string) string {
	var syntax *json.SyntaxError
	err := json.Unmarshal([]byte(text), new(any))
	if !asSyntax(err, &syntax) {
		return ""
	}
	line := 1 + strings.Count(text[:min(int(syntax.Offset), len(text))], "\n")
	return " (line " + strconv.Itoa(line) + ": " + syntax.Error() + ")"
}
