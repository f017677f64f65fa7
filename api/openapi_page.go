package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsPage string

// openAPIDocument serves the OpenAPI document.
func (s *service) openAPIDocument() http.HandlerFunc {
	s.finishDocument()
	document, err := json.Marshal(s.huma.OpenAPI())
	if err != nil {
		panic("the OpenAPI document cannot be written: " + err.Error()) // a defect of the declarations
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(document) // an error means that the client has left
	}
}

// docsView is the view model of the documentation page.
type docsView struct {
	Title, Version, Description string
	Groups                      []docsGroup
	Schemas                     []docsSchema
}

type docsGroup struct {
	Name  string
	Calls []docsCall
}

type docsCall struct {
	ID, Method, Path, Summary, Description string
	Parameters                             []docsField
	Body                                   string // name of the type of the body
	BodyTypes                              string
	Responses                              []docsResponse
}

type docsResponse struct{ Status, Description, Type string }

type docsSchema struct {
	Name   string
	Fields []docsField
}

type docsField struct {
	Name, In, Type, Description string
	Required                    bool
}

// docs serves the documentation page. It is rendered once from the OpenAPI document and loads nothing from other servers.
func (s *service) docs() http.HandlerFunc {
	page := template.Must(template.New("docs").Parse(docsPage))
	var rendered bytes.Buffer
	if err := page.Execute(&rendered, viewDocs(s.huma.OpenAPI())); err != nil {
		panic("the documentation cannot be rendered: " + err.Error()) // a defect of the template
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		_, _ = w.Write(rendered.Bytes()) // an error means that the client has left
	}
}

func viewDocs(document *huma.OpenAPI) docsView {
	view := docsView{Title: document.Info.Title, Version: document.Info.Version, Description: document.Info.Description}
	for _, tag := range []string{"Sagas", "Actions", "Definitions", "Dead letters", "Operation", "Keys", "Health"} {
		group := docsGroup{Name: tag}
		for _, operation := range operationsOf(document) {
			if slices.Contains(operation.Tags, tag) {
				group.Calls = append(group.Calls, viewCall(operation))
			}
		}
		view.Groups = append(view.Groups, group)
	}
	for name, schema := range document.Components.Schemas.Map() {
		view.Schemas = append(view.Schemas, docsSchema{Name: name, Fields: viewFields(schema)})
	}
	slices.SortFunc(view.Schemas, func(a, b docsSchema) int { return strings.Compare(a.Name, b.Name) })
	return view
}

// operationsOf returns every operation, by path and method.
func operationsOf(document *huma.OpenAPI) []*huma.Operation {
	var listed []*huma.Operation
	for _, item := range document.Paths {
		for _, operation := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if operation != nil {
				listed = append(listed, operation)
			}
		}
	}
	slices.SortStableFunc(listed, func(a, b *huma.Operation) int { return strings.Compare(a.Path, b.Path) })
	return listed
}

func viewCall(operation *huma.Operation) docsCall {
	call := docsCall{
		ID: operation.OperationID, Method: operation.Method, Path: operation.Path, Summary: operation.Summary,
		Description: strings.ReplaceAll(strings.TrimSpace(operation.Description), "`", ""),
	}
	for _, parameter := range operation.Parameters {
		call.Parameters = append(call.Parameters, docsField{
			Name: parameter.Name, In: parameter.In, Type: typeName(parameter.Schema),
			Description: parameter.Description, Required: parameter.Required,
		})
	}
	if operation.RequestBody != nil {
		var types []string
		for mediaType, content := range operation.RequestBody.Content {
			types = append(types, mediaType)
			call.Body = typeName(content.Schema)
		}
		slices.Sort(types)
		call.BodyTypes = strings.Join(types, " or ")
	}
	for status, response := range operation.Responses {
		shown := docsResponse{Status: status, Description: response.Description}
		for _, content := range response.Content {
			shown.Type = typeName(content.Schema)
		}
		call.Responses = append(call.Responses, shown)
	}
	slices.SortFunc(call.Responses, func(a, b docsResponse) int { return strings.Compare(a.Status, b.Status) })
	return call
}

func viewFields(schema *huma.Schema) []docsField {
	var fields []docsField
	for name, property := range schema.Properties {
		fields = append(fields, docsField{
			Name: name, Type: typeName(property), Description: property.Description,
			Required: slices.Contains(schema.Required, name),
		})
	}
	slices.SortFunc(fields, func(a, b docsField) int { return strings.Compare(a.Name, b.Name) })
	return fields
}

// typeName returns a short name of a schema.
func typeName(schema *huma.Schema) string {
	switch {
	case schema == nil:
		return ""
	case schema.Ref != "":
		return schema.Ref[strings.LastIndex(schema.Ref, "/")+1:]
	case len(schema.OneOf) > 0:
		return typeName(schema.OneOf[0]) + " or null"
	case schema.Type == huma.TypeArray:
		return "list of " + typeName(schema.Items)
	case len(schema.Enum) > 0:
		words := make([]string, len(schema.Enum))
		for i, value := range schema.Enum {
			words[i], _ = value.(string)
		}
		return strings.Join(words, " | ")
	case schema.Type == "":
		return "JSON"
	case schema.Nullable:
		return schema.Type + " or null"
	default:
		return schema.Type
	}
}
