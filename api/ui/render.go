package ui

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// templateFiles holds a file for each view, and some for parts of several.
//
//go:embed templates/*.html
var templateFiles embed.FS

// screen is what every view gives to the layout.
type screen struct {
	Title string
	Tab   string // the entry of the navigation that is current
	Body  any
	Live  string // address of the live view; empty: none
}

// layout is what the layout shows around a view.
type layout struct {
	screen
	Who     *viewer // nil: not signed in
	Auth    bool
	Notice  string
	Version string
	Faults  []DemoFault
	Tabs    []tab
	Here    string // address of this view, for the forms of the layout
	Theme   string // dark or light; empty: as the browser chooses
}

// tab is an entry of the navigation.
type tab struct {
	Name, Title, Path, Icon, Key string
}

// tabs returns the views that the viewer may open.
func tabs(who *viewer) []tab {
	all := []tab{
		{"overview", "Overview", "/", "home", "o"},
		{"sagas", "Sagas", "/ui/sagas", "list", "s"},
		{"definitions", "Definitions", "/ui/definitions", "graph", "d"},
		{"queues", "Queues", "/ui/queues", "queue", "q"},
		{"letters", "Dead letters", "/ui/dead-letters", "letter", "l"},
		{"bulk", "Bulk actions", "/ui/bulk", "bulk", "b"},
	}
	if who.Admin() {
		all = append(all, tab{"audit", "Audit log", "/ui/audit", "book", "a"})
	}
	if who.Admin() && !who.Limited {
		all = append(all, tab{"webhooks", "Webhooks", "/ui/webhooks", "hook", "w"}, tab{"keys", "Keys", "/ui/keys", "key", "k"})
	}
	return all
}

func (p *page) loadTemplates() *template.Template {
	all := template.New("page").Funcs(template.FuncMap{
		"link":  p.link,
		"asset": func(name string) string { return p.link(p.assets.path(name)) },
		"path":  func(parts ...string) string { return p.link(joined(parts)) },
		"query": withQuery,
		"since": func(at any) string { return since(at, p.Now()) },
		"ahead": func(at any) string { return ahead(at, p.Now()) },
		"clock": clock, "join": strings.Join, "stamp": stamp, "iso": iso, "took": took, "count": count, "number": count,
		"words": words, "text": text, "json": pretty, "cut": cut, "tone": tone, "symbol": symbol, "bytes": byteSize,
		"pct": pct, "short": short, "list": list, "title": sentence, "plural": plural,
	})
	for name, content := range embedded(templateFiles, "templates") {
		template.Must(all.New(name).Parse(withoutIndentation(content)))
	}
	return all
}

// withoutIndentation returns a template that answers with fewer bytes: without the indentation, and without the break before
// a line that holds only a control action. White space that a browser shows stays; at the end of a button and a link it would be
// shown as a gap.
func withoutIndentation(content string) string {
	content = regexp.MustCompile(`\n[ \t]+`).ReplaceAllString(content, "\n")
	content = regexp.MustCompile(`\n</(a|button)>`).ReplaceAllString(content, "</$1>")
	return regexp.MustCompile(`\n(\{\{(?:if|else|end|range|with|\$\w+ :=)[^}]*\}\})\n`).ReplaceAllString(content, "$1\n")
}

// joined returns a path of escaped segments, with a slash before each. A segment that begins with a slash stays as it is.
func joined(parts []string) string {
	var path strings.Builder
	for _, part := range parts {
		if strings.HasPrefix(part, "/") {
			path.WriteString(part)
		} else {
			path.WriteString("/" + url.PathEscape(part))
		}
	}
	return path.String()
}

// withQuery adds parameters, as names and values in turn, to a path. An empty value is left out.
func withQuery(path string, pairs ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values.Add(pairs[i], pairs[i+1])
		}
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

// show renders a view with status 200.
func (p *page) show(w http.ResponseWriter, r *http.Request, who *viewer, name string, s screen) error {
	p.render(w, r, who, http.StatusOK, name, s)
	return nil
}

// render renders a view into the layout. It writes only complete pages.
func (p *page) render(w http.ResponseWriter, r *http.Request, who *viewer, status int, name string, s screen) {
	around := layout{
		screen: s, Who: who, Auth: p.Auth, Version: p.Version, Notice: notice(r.URL.Query().Get("notice")).text(),
		Here: pathAndQuery(r), Theme: themeOf(r),
	}
	if who != nil {
		around.Tabs = tabs(who)
	}
	if p.Demo != nil && who != nil {
		around.Faults = p.Demo.Faults()
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="saga orchestrator"`) // as the API: RFC 9110 wants it
	}
	content, err := p.fragment(name, s.Body, who)
	if err != nil {
		p.Logger.ErrorContext(r.Context(), "a template failed", "template", name, "error", err)
		http.Error(w, "The page could not be shown. See the server log.", http.StatusInternalServerError)
		return
	}
	around.Body = content
	var whole bytes.Buffer
	if err := p.templates.ExecuteTemplate(&whole, "layout", around); err != nil {
		p.Logger.ErrorContext(r.Context(), "the layout failed", "error", err)
		http.Error(w, "The page could not be shown. See the server log.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(whole.Bytes()) // an error means that the browser has left
}

// themeOf returns the viewer's choice of dark or light. The script keeps it in a cookie, so that the page is painted in it
// without waiting for the script.
func themeOf(r *http.Request) string {
	chosen, err := r.Cookie("theme")
	if err != nil || chosen.Value != "dark" && chosen.Value != "light" {
		return ""
	}
	return chosen.Value
}

// model is what the template of a view gets.
type model struct {
	Who *viewer
	V   any
}

// fragment renders a part of a page.
func (p *page) fragment(name string, view any, who *viewer) (template.HTML, error) {
	if who == nil {
		who = &viewer{}
	}
	var part bytes.Buffer
	if err := p.templates.ExecuteTemplate(&part, name, model{Who: who, V: view}); err != nil {
		return "", err
	}
	return template.HTML(part.String()), nil //nolint:gosec // html/template has escaped it
}
