// Package rawjson reads JSON text without decoding it: it checks the grammar, finds the members of an object, and removes white
// space. A saga's data is carried through the orchestrator as the text that came, so these are the only passes over it. They
// read eight bytes of a string at a time, because most of a large document is strings; encoding/json reads one.
//
// The grammar is that of encoding/json, which tests compare it with. Limits of documents from outside are up to saga.CheckJSON.
package rawjson
