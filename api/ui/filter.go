package ui

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// sagaFilters returns the names of the filters of the list of sagas. lists are those that may repeat.
func sagaFilters() (all, lists []string) {
	lists = []string{"status", "attention_reason", "label"}
	return append([]string{
		"definition", "version", "key", "created_after", "created_before", "attention", "step", "error_code", "parent",
	}, lists...), lists
}

func letterFilters() []string {
	return []string{"queue", "reason", "source", "saga", "received_after", "received_before"}
}

// chosen returns the filters that an address sets. A form sends the fields that are left empty, too; those are no filters.
func chosen(query url.Values, names []string) url.Values {
	kept := url.Values{}
	for _, name := range names {
		for _, value := range query[name] {
			if value = strings.TrimSpace(value); value != "" {
				kept.Add(name, apiTime(name, value))
			}
		}
	}
	return kept
}

// apiTime completes a time that a browser's field for dates sends without a zone: it is UTC.
func apiTime(name, value string) string {
	if strings.HasSuffix(name, "_after") || strings.HasSuffix(name, "_before") || name == "since" || name == "until" {
		switch len(value) {
		case len("2006-01-02T15:04"):
			return value + ":00Z"
		case len("2006-01-02T15:04:05"):
			return value + "Z"
		}
	}
	return value
}

// filterJSON returns filters of an address as the filter of a bulk action.
func filterJSON(query url.Values, lists []string) json.RawMessage {
	members := make(map[string]any, len(query))
	for name, values := range query {
		switch {
		case slices.Contains(lists, name):
			members[name] = values
		case name == "attention":
			members[name] = true
		case name == "version":
			if version, err := strconv.Atoi(values[0]); err == nil {
				members[name] = version
				continue
			}
			fallthrough
		default:
			members[name] = values[0]
		}
	}
	content, _ := json.Marshal(members) // texts, lists of texts, a number and true
	return content
}

// facet is a choice of a filter, which a list shows.
type facet struct {
	Value string
	On    bool
}

func facets[T ~string](values []T, chosen []string) []facet {
	listed := make([]facet, len(values))
	for i, value := range values {
		listed[i] = facet{string(value), slices.Contains(chosen, string(value))}
	}
	return listed
}

// chip is a filter that is set, with the address of the list without it.
type chip struct {
	Name, Value string
	Without     string
}

// chipsOf returns the filters that are set.
func chipsOf(query url.Values, path string) []chip {
	var chips []chip
	for _, name := range sortedNames(query) {
		for i, value := range query[name] {
			rest := url.Values{}
			for other, values := range query {
				rest[other] = slices.Clone(values)
			}
			rest[name] = slices.Delete(rest[name], i, i+1)
			address := path
			if encoded := rest.Encode(); encoded != "" {
				address += "?" + encoded
			}
			chips = append(chips, chip{Name: name, Value: value, Without: address})
		}
	}
	return chips
}

func sortedNames(query url.Values) []string {
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// groupQuery returns the address that selects the sagas of a group.
func groupQuery(definition string, reasons []saga.AttentionReason, step, code string) string {
	query := url.Values{"definition": {definition}, "step": {step}, "error_code": {code}}
	for _, reason := range reasons {
		query.Add("attention_reason", string(reason))
	}
	return query.Encode()
}
