package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestListsOfRepliersAreRead(t *testing.T) {
	t.Parallel()
	var read repliers
	require.NoError(t, read.UnmarshalText([]byte("payments=svc-payments, svc-refunds; inventory=svc-inventory;*=legacy")))
	assert.Equal(t, repliers{"payments": {"svc-payments", "svc-refunds"}, "inventory": {"svc-inventory"}, "*": {"legacy"}}, read)
	for _, text := range []string{"payments", "=a", "payments=", "payments=a,", "a=b;a=c"} {
		require.Error(t, new(repliers).UnmarshalText([]byte(text)), text)
	}
}
