package env

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Call sends body as JSON, as a plain HTTP client in any language would, and decodes the answer into into. It returns the
// status. key is the Idempotency-Key; a key of "", a body of nil and an into of nil mean none. The client limits the time.
func Call(client *http.Client, method, url, key string, body, into any) (status int, err error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, fmt.Errorf("encode the body of %s %s: %w", method, url, err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(context.Background(), method, url, content)
	if err != nil {
		return 0, fmt.Errorf("prepare %s %s: %w", method, url, err)
	}
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err // names method and address
	}
	defer response.Body.Close()
	if into == nil {
		_, err = io.Copy(io.Discard, response.Body) // so that the connection can be used again
		return response.StatusCode, err
	}
	return response.StatusCode, json.NewDecoder(response.Body).Decode(into)
}
