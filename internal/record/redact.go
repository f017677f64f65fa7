package record

// RedactDetail returns a copy of the detail of a history entry with its texts redacted.
func RedactDetail(detail map[string]any, redact func(string) string) map[string]any {
	if detail == nil {
		return nil
	}
	redacted := make(map[string]any, len(detail))
	for name, value := range detail {
		if text, is := value.(string); is {
			value = redact(text)
		}
		redacted[name] = value
	}
	return redacted
}
