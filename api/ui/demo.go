package ui

import "net/http"

// setDemo turns a fault of the demo on or off.
func (p *page) setDemo(w http.ResponseWriter, r *http.Request, who *viewer) error {
	if p.Demo == nil {
		return refused(http.StatusNotFound, "not_found", "This is not a demo.")
	}
	if !who.Operator() {
		return refused(http.StatusForbidden, "forbidden", "Only operators may break the demo's workers.")
	}
	if err := p.Demo.SetFault(r.PostFormValue("fault"), r.PostFormValue("on") == "true"); err != nil {
		return refused(http.StatusUnprocessableEntity, "invalid_field", "The demo does not have this fault.")
	}
	p.redirect(w, r, localPath(r.PostFormValue("back")))
	return nil
}
