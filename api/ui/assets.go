package ui

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"iter"
	"net/http"
	"path"
	"strings"
)

//go:embed assets/app.js assets/htmx.min.js assets/icon.svg assets/style/*.css
var assetFiles embed.FS

// assets serves the style sheet, the scripts and the icon. Their address has a hash of their content, so browsers keep them.
type assets struct {
	content map[string][]byte
	hash    map[string]string
}

func loadAssets() *assets {
	a := &assets{content: make(map[string][]byte), hash: make(map[string]string)}
	for name, content := range embedded(assetFiles, "assets") {
		a.add(name, []byte(content))
	}
	var style strings.Builder
	for _, content := range embedded(assetFiles, "assets/style") { // in the order of their names, on which the cascade depends
		style.WriteString(withoutIndentation(content))
	}
	a.add("app.css", []byte(style.String()))
	return a
}

func (a *assets) add(name string, content []byte) {
	sum := sha256.Sum256(content)
	a.content[name], a.hash[name] = content, hex.EncodeToString(sum[:6])
}

// embedded returns the files of a folder of the program, by name.
func embedded(files embed.FS, folder string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		entries, err := files.ReadDir(folder)
		if err != nil {
			panic("a folder of the page is missing: " + err.Error()) // a defect of the build
		}
		for _, entry := range entries {
			if entry.IsDir() {
				continue
			}
			content, err := files.ReadFile(folder + "/" + entry.Name())
			if err != nil {
				panic("a file of the page is missing: " + err.Error())
			}
			if !yield(entry.Name(), string(content)) {
				return
			}
		}
	}
}

// path returns the address of a file, without the base path.
func (a *assets) path(name string) string { return "/ui/assets/" + a.hash[name] + "/" + name }

func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	content, known := a.content[name]
	if !known {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", map[string]string{
		".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	}[strings.ToLower(path.Ext(name))])
	if r.PathValue("hash") == a.hash[name] {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(content) // an error means that the browser has left
}
