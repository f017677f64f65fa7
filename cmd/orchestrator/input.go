package main

import (
	"context"
	"io"
)

// input is standard input until ctx ends. A signal must end a command that waits for text, as it ends one that waits for a server.
type input struct {
	ctx  context.Context //nolint:containedctx // io.Reader has none
	from io.Reader
}

// Read implements io.Reader. It reads into a buffer of its own, because a read that is left alone may still return.
func (i input) Read(into []byte) (int, error) {
	type chunk struct {
		bytes []byte
		err   error
	}
	read := make(chan chunk, 1)
	go func() {
		own := make([]byte, len(into))
		n, err := i.from.Read(own)
		read <- chunk{own[:n], err}
	}()
	select {
	case got := <-read:
		return copy(into, got.bytes), got.err
	case <-i.ctx.Done():
		return 0, i.ctx.Err()
	}
}
