package ui

import "net/http"

func (p *page) help(w http.ResponseWriter, r *http.Request, who *viewer) error {
	return p.show(w, r, who, "help", screen{Title: "Help", Tab: "help", Body: tabs(who)})
}

func (p *page) unknown(http.ResponseWriter, *http.Request, *viewer) error {
	return refused(http.StatusNotFound, "not_found", "This address does not exist. It may have been mistyped, or it is one of a newer version.")
}
