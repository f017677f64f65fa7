package ui

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
)

//go:embed assets/app.css assets/app.js assets/htmx.min.js assets/icon.svg
var assetFiles embed.FS

// assets serves the style sheet, the scripts and the icon. Their address has a hash of their content, so browsers keep them.
type assets struct {
	content map[string][]byte
	hash    map[string]string
}

func loadAssets() *assets {
	a := &assets{content: make(map[string][]byte), hash: make(map[string]string)}
	for _, name := range []string{"app.css", "app.js", "htmx.min.js", "icon.svg"} {
		content, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			panic("a file of the page is missing: " + err.Error()) // a defect of the build
		}
		sum := sha256.Sum256(content)
		a.content[name], a.hash[name] = content, hex.EncodeToString(sum[:6])
	}
	return a
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
