// Package main does not compile: a step function takes the data of another saga.
package main

import (
	"context"

	"github.com/saga-orchestrator/orchestrator/steps"
)

type order struct{}

type parcel struct{}

func ship(context.Context, *parcel) error { return nil }

func main() { steps.Define[order]("order").Pivot("ship", ship) }
