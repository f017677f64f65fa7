package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const docs = "../../../docs"

// schemas returns the compiled schemas of docs/schemas by name.
func schemas(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	files, err := filepath.Glob(docs + "/schemas/*.json")
	require.NoError(t, err)
	compiled := map[string]*jsonschema.Schema{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		compiled[name] = compile(t, "file:///schemas/"+name, content)
	}
	require.Len(t, compiled, 6)
	return compiled
}

func compile(t *testing.T, location string, content []byte) *jsonschema.Schema {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	require.NoError(t, err, location)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource(location, value))
	compiled, err := compiler.Compile(location)
	require.NoError(t, err, location)
	return compiled
}

// fits returns why a document does not fit a schema.
func fits(t *testing.T, schema *jsonschema.Schema, content []byte) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	require.NoError(t, err, "%s", content)
	return schema.Validate(value)
}

// asyncAPI returns docs/asyncapi.yaml as JSON.
func asyncAPI(t *testing.T) []byte {
	t.Helper()
	content, err := os.ReadFile(docs + "/asyncapi.yaml")
	require.NoError(t, err)
	var document any
	require.NoError(t, yaml.Unmarshal(content, &document))
	encoded, err := json.Marshal(document)
	require.NoError(t, err)
	return encoded
}

// The schema of AsyncAPI 3.0 is that of the npm package @asyncapi/specs 6.11.1 (Apache 2.0).
func TestTheAsyncAPIDocumentIsValid(t *testing.T) {
	t.Parallel()
	packed, err := os.Open("testdata/asyncapi-3.0.0.json.gz")
	require.NoError(t, err)
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	require.NoError(t, err)
	value, err := jsonschema.UnmarshalJSON(unpacked)
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("http://asyncapi.com/definitions/3.0.0/asyncapi.json", value))
	specification, err := compiler.Compile("http://asyncapi.com/definitions/3.0.0/asyncapi.json")
	require.NoError(t, err)
	document := asyncAPI(t)
	require.NoError(t, fits(t, specification, document))
	require.Error(t, fits(t, specification, bytes.Replace(document, []byte(`"action":"send"`), []byte(`"action":"shout"`), 1)))
}

// described is the part of the AsyncAPI document that refers to other things.
type described struct {
	Components struct {
		Messages map[string]struct {
			Headers, Payload *struct {
				Schema map[string]string `json:"schema"`
			}
			Examples []struct{ Headers, Payload json.RawMessage }
		}
	}
	Channels map[string]struct {
		Address  string
		Messages map[string]map[string]string
	}
	Operations map[string]struct{ Channel map[string]string }
}

func TestTheAsyncAPIDocumentsReferencesAndExamplesAreRight(t *testing.T) {
	t.Parallel()
	var document described
	require.NoError(t, json.Unmarshal(asyncAPI(t), &document))
	all, used := schemas(t), map[string]bool{}
	for name, message := range document.Components.Messages {
		require.NotEmpty(t, message.Examples, name)
		for part, described := range map[string]*struct {
			Schema map[string]string `json:"schema"`
		}{"headers": message.Headers, "payload": message.Payload} {
			if described == nil {
				continue
			}
			schema := strings.TrimSuffix(strings.TrimPrefix(described.Schema["$ref"], "./schemas/"), ".json")
			require.Contains(t, all, schema, name)
			used[schema] = true
			for _, example := range message.Examples {
				content := map[string]json.RawMessage{"headers": example.Headers, "payload": example.Payload}[part]
				require.NoError(t, fits(t, all[schema], content), "%s %s", name, part)
			}
		}
	}
	assert.Len(t, used, len(all), "every schema is used")
	for name, channel := range document.Channels {
		for _, reference := range channel.Messages {
			assert.Contains(t, document.Components.Messages, strings.TrimPrefix(reference["$ref"], "#/components/messages/"), name)
		}
	}
	for name, operation := range document.Operations {
		assert.Contains(t, document.Channels, strings.TrimPrefix(operation.Channel["$ref"], "#/channels/"), name)
	}
	for channel, address := range map[string]string{
		"commands": "saga.commands.{queue}", "replies": "saga.replies", "start": "saga.start", "dead": "saga.dead", "events": "{source}.{type}",
	} {
		assert.Equal(t, address, document.Channels[channel].Address)
	}
}

// Every example of docs/protocol.md fits its schema, and those that are refused do not.
func TestTheProtocolsExamplesFitTheSchemas(t *testing.T) {
	t.Parallel()
	all, examples := schemas(t), protocolExamples(t)
	for _, example := range examples["command"] {
		var shown struct{ Headers, Body json.RawMessage }
		require.NoError(t, json.Unmarshal([]byte(example), &shown))
		assert.NoError(t, fits(t, all["command-headers"], shown.Headers))
		assert.NoError(t, fits(t, all["command"], shown.Body))
	}
	for subject, schema := range map[string]string{
		"command body": "command", "reply succeeded": "reply", "reply failed, retryable": "reply", "reply failed, not retryable": "reply",
		"start": "start", "event": "event",
	} {
		require.NotEmpty(t, examples[subject], subject)
		for _, example := range examples[subject] {
			assert.NoError(t, fits(t, all[schema], []byte(example)), subject)
		}
	}
	require.NotEmpty(t, examples["reply refused"])
	for _, example := range examples["reply refused"] {
		assert.Error(t, fits(t, all["reply"], []byte(example)), example)
	}
}

// What the schemas refuse is what the protocol forbids.
func TestTheSchemasRefuseWhatIsWrong(t *testing.T) {
	t.Parallel()
	all := schemas(t)
	for schema, documents := range map[string][]string{
		"command":         {`{}`, `[]`, `{"data":1}`, `{"data":{},"compensates":"x"}`},
		"command-headers": {`{}`, `{"saga-id":"x"}`},
		"reply":           {`{"status":"failed"}`, `{"status":"failed","error":{}}`, `{"status":"succeeded","output":[]}`, `{"status":"failed","error":{"code":"x","retryable":"no"}}`},
		"start":           {`{}`, `{"definition":"order","name":"x"}`, `{"definition":"order","priority":10}`, `{"definition":"order","start_at":"soon"}`},
		"event":           {`{}`, `{"specversion":"1.0","id":"x","source":"/saga","type":"saga.completed","subject":"x","time":"x","datacontenttype":"application/json","data":{}}`},
		"dead-letter-headers": {
			`{}`, `{"x-death":[],"x-first-death-queue":"q","x-first-death-reason":"rejected"}`,
			`{"x-death":[{"count":1,"queue":"q","reason":"rejected"}],"x-first-death-queue":"q","x-first-death-reason":"other"}`,
		},
	} {
		for _, document := range documents {
			assert.Error(t, fits(t, all[schema], []byte(document)), "%s: %s", schema, document)
		}
	}
}
