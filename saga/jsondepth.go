package saga

// JSONDepth returns the nesting of arrays and objects in a valid JSON text; 0: it has none.
func JSONDepth(text []byte) int {
	deepest, open, within := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case within && c == '\\':
			i++
		case c == '"':
			within = !within
		case within:
		case c == '{' || c == '[':
			open++
			deepest = max(deepest, open)
		case c == '}' || c == ']':
			open--
		}
	}
	return deepest
}
