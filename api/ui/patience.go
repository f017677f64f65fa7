package ui

import (
	"context"
	"net/http"
	"time"
)

// firstPaint is how long a view waits for counts over all sagas. What is not counted by then is shown by the next reading.
const firstPaint = 60 * time.Millisecond

// counting reads something that may take long with many sagas.
type counting[T any] struct {
	done  chan struct{}
	value T
	err   error
	stop  context.CancelFunc
	until time.Time // of the first paint
}

// begin starts reading.
func begin[T any](r *http.Request, read func(*http.Request) (T, error)) *counting[T] {
	ctx, stop := context.WithCancel(r.Context()) //nolint:gosec // the read ends at the latest with the request
	c := &counting[T]{done: make(chan struct{}), stop: stop, until: time.Now().Add(firstPaint)}
	own := r.WithContext(ctx) // a copy: reading a form changes the request
	go func() {               // ends with the read, at the latest with the API's time limit
		defer close(c.done)
		c.value, c.err = read(own)
	}()
	return c
}

// result returns what was read. counted is false if that takes too long and the address does not ask for the whole view.
func (c *counting[T]) result(r *http.Request) (value T, counted bool, err error) {
	if r.FormValue("whole") == "" {
		timer := time.NewTimer(time.Until(c.until))
		defer timer.Stop()
		select {
		case <-c.done:
		case <-timer.C:
			c.stop()
			return value, false, nil
		}
	}
	<-c.done
	c.stop()
	return c.value, true, c.err
}
