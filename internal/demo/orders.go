package demo

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// kind is what becomes of an order.
type kind int

const (
	good kind = iota
	badAddress
	declined
	tooLarge
	noRefund
	unknownOutcome
	lostCommand
	outOfStock
	later
)

// opening returns the orders with which the demo begins, so that every view has something to show within seconds. Of
// those with a bad address it adds as many as the group of stuck orders lacks.
func opening(badAddresses int) []kind {
	kinds := []kind{good, declined, unknownOutcome, noRefund, lostCommand, outOfStock, later, tooLarge, noRefund, unknownOutcome, good, good}
	for range badAddresses {
		kinds = append(kinds, badAddress)
	}
	return kinds
}

// kindOf returns the kind of the nth order after the opening. Most succeed, and one in 45 gets stuck.
func kindOf(n int) kind {
	switch {
	case n%311 == 0:
		return lostCommand
	case n%211 == 0:
		return unknownOutcome
	case n%157 == 0:
		return noRefund
	case n%89 == 0:
		return badAddress
	case n%23 == 0:
		return tooLarge
	case n%7 == 0:
		return declined
	default:
		return good
	}
}

// start returns an order. number is unique among the orders of this and earlier runs.
func start(number int, of kind, now time.Time) (record.StartRequest, error) {
	names := []string{"ada", "grace", "alan", "edsger", "barbara", "tony", "frances", "ken"}
	items := []string{"teapot", "bicycle bell", "notebook", "desk", "headphones", "kettle", "raincoat"}
	regions := []string{"eu", "us", "ap"}
	order := Order{
		OrderID: fmt.Sprintf("%07d", number), Item: items[number%len(items)], Amount: 10 + number*37%490,
		Card: "4000-0000-0000-0077", Email: names[number%len(names)] + "@example.com",
	}
	request := record.StartRequest{
		Definition: definitionName, Key: "order-" + order.OrderID, Actor: "demo",
		Labels: map[string]string{"region": regions[number%len(regions)]},
	}
	switch of {
	case badAddress:
		order.Email = names[number%len(names)] + " at example.com"
	case declined:
		order.Card = declinedCard
	case tooLarge:
		order.Amount += 5 * largestOrder
	case noRefund:
		order.Card, order.Amount = closedCard, order.Amount+5*largestOrder
	case unknownOutcome:
		order.Item = giftCard
	case lostCommand:
		order.Item = vase
	case outOfStock:
		order.Item = backOrdered
	case later:
		request.StartAt = now.Add(time.Hour)
	case good:
	}
	data, err := json.Marshal(order)
	if err != nil {
		return request, fmt.Errorf("encode an order: %w", err)
	}
	request.Data = data
	return request, nil
}
