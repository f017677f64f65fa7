// Package ui is the page that operators open at `/`: server-rendered HTML with a little script. It is a client of the REST
// API in the same process, so the API's rights, limits and refusals apply to it, and it does nothing that the API cannot do.
// Without scripts every link and every form still works.
//
// The page's address space is `/`, `/ui` and everything below `/ui/`. Everything else belongs to the API.
package ui
