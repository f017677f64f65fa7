package saga

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// minSecret is the shortest value in bytes that Redactor finds in texts. Shorter ones are parts of many words.
const minSecret = 4

// Redactor returns a function that replaces the sensitive values of an instance by "***" in texts, such as a worker's error
// messages. It finds texts and numbers of four bytes or more. It returns nil if nothing is sensitive.
func (d *Definition) Redactor(in *Instance) func(string) string {
	d = d.Within(in)
	if d.hidden == nil {
		return nil
	}
	secrets := make(map[string]bool)
	collect := func(raw json.RawMessage) { addSecrets(raw, secrets) }
	d.hidden.mask(in.Data, collect)
	for i := range in.Steps {
		output := d.hidden
		if i < len(d.Steps) && d.Steps[i].OutputAs != "" {
			output = d.hidden.at(Pointer("/" + PointerToken(d.Steps[i].OutputAs)))
		}
		if output == nil {
			continue
		}
		output.mask(in.Steps[i].Output, collect)
		if given := in.Steps[i].Signal; given != nil {
			output.mask(given.Output, collect)
		}
	}
	if in.Rewind != nil {
		d.hidden.mask(in.Rewind.Patch, collect)
	}
	ordered := make([]string, 0, len(secrets))
	for secret := range secrets {
		ordered = append(ordered, secret)
	}
	slices.SortFunc(ordered, func(a, b string) int { // the longest first: it may contain others
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	pairs := make([]string, 0, 2*len(ordered))
	for _, secret := range ordered {
		pairs = append(pairs, secret, Masked)
	}
	return strings.NewReplacer(pairs...).Replace
}

// discreet returns an error without the sensitive values of an instance. Errors are stored so: what is sensitive now may no longer
// be in the data when the error is read.
func (d *Definition) discreet(in *Instance, said *StepError) *StepError {
	if said == nil || said.Message == "" {
		return said
	}
	redact := d.Redactor(in)
	if redact == nil {
		return said
	}
	return &StepError{Code: said.Code, Message: redact(said.Message)}
}

// discreetReply is discreet for the error of a reply.
func (d *Definition) discreetReply(in *Instance, said *ReplyError) *ReplyError {
	if said == nil {
		return nil
	}
	clean := *said
	clean.Message = d.discreet(in, &StepError{Message: said.Message}).Message
	return &clean
}

// addSecrets adds the texts and numbers of a value.
func addSecrets(raw json.RawMessage, secrets map[string]bool) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) == nil {
		addLeaves(value, secrets)
	}
}

func addLeaves(value any, secrets map[string]bool) {
	text := ""
	switch v := value.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	case []any:
		for _, element := range v {
			addLeaves(element, secrets)
		}
	case map[string]any:
		for _, member := range v {
			addLeaves(member, secrets)
		}
	}
	if len(text) >= minSecret {
		secrets[text] = true
	}
}
