package schema

import (
	"encoding/json"
	"strconv"
	"strings"
)

// numberCost is the cost of a number, which the library reads as a fraction of whole numbers.
func numberCost(number json.Number) int {
	digits := len(number)
	if at := strings.IndexAny(string(number), "eE"); at >= 0 {
		exponent, err := strconv.Atoi(strings.TrimPrefix(string(number[at+1:]), "+"))
		if err != nil {
			return maxCost
		}
		if exponent < -1<<20 || exponent > 1<<20 {
			return maxCost
		}
		digits += max(exponent, -exponent)
	}
	if digits > 1<<20 {
		return maxCost
	}
	return 30 + 2*digits + digits*digits/256
}
