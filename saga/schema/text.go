package schema

import (
	"fmt"
	"math/big"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/message"
)

// text says what a value should be. The library's own words quote the value, which may be sensitive: these texts are stored
// with sagas, and sent to webhooks.
func text(fault jsonschema.ErrorKind, printer *message.Printer) string {
	switch k := fault.(type) {
	case *kind.Pattern:
		return "does not match pattern " + strconv.Quote(k.Want)
	case *kind.Format:
		return "is not a valid " + k.Want
	case *kind.ContentEncoding:
		return "is not encoded as " + strconv.Quote(k.Want)
	case *kind.ContentMediaType:
		return "is not of media type " + strconv.Quote(k.Want)
	case *kind.Minimum:
		return "must be at least " + number(k.Want)
	case *kind.Maximum:
		return "must be at most " + number(k.Want)
	case *kind.ExclusiveMinimum:
		return "must be more than " + number(k.Want)
	case *kind.ExclusiveMaximum:
		return "must be less than " + number(k.Want)
	case *kind.MultipleOf:
		return "must be a multiple of " + number(k.Want)
	case *kind.InvalidJsonValue:
		return "is not a JSON value"
	default: // counts, types, and names of members
		return fault.LocalizedString(printer)
	}
}

func number(rational *big.Rat) string {
	value, _ := rational.Float64()
	return fmt.Sprint(value)
}
