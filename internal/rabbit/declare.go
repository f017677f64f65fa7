package rabbit

import (
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// declaration creates one thing. The broker may close the channel of each call.
type declaration struct {
	what string
	name string // such as "queue saga.replies"
	// tries run in order until one is not refused for other properties.
	tries []func(*amqp.Channel) error
	// passive checks that the thing exists, for a user without the right to create it.
	passive func(*amqp.Channel) error
}

// declarer makes declarations on one channel, and opens a new one after the broker has closed it.
type declarer struct {
	conn    *connection
	channel *amqp.Channel
}

// declarationError is the error of one declaration.
type declarationError struct {
	name string
	error
}

func (e declarationError) Unwrap() error { return e.error }

// errorsIn returns the single errors that declareEach has joined.
func errorsIn(joined error) (all []declarationError) {
	switch found := joined.(type) { //nolint:errorlint // this walks through the tree
	case declarationError:
		return []declarationError{found}
	case interface{ Unwrap() error }:
		return errorsIn(found.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range found.Unwrap() {
			all = append(all, errorsIn(one)...)
		}
	}
	return all
}

// declareEach makes declarations in order and continues after failures. mismatch reports what exists with other
// properties, fault all other failures.
func declareEach(conn *connection, declarations []declaration) (mismatch, fault error) {
	d := declarer{conn: conn}
	defer d.close()
	for _, one := range declarations {
		err := d.make(one)
		switch {
		case err == nil:
		case is(err, amqp.PreconditionFailed):
			mismatch = errors.Join(mismatch, declarationError{one.name, fmt.Errorf("%s: %w: %w", one.what, ErrMismatch, err)})
		default:
			fault = errors.Join(fault, declarationError{one.name, fmt.Errorf("%s: %w", one.what, err)})
		}
		if conn.isGone() {
			break
		}
	}
	return mismatch, fault
}

// make returns the refusal of the first try if all others fail too.
func (d *declarer) make(one declaration) error {
	var first error
	for _, try := range one.tries {
		err := d.do(try)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
		if !is(err, amqp.PreconditionFailed) {
			break
		}
	}
	if is(first, amqp.AccessRefused) && one.passive != nil && d.do(one.passive) == nil {
		return nil
	}
	return first
}

func (d *declarer) do(call func(*amqp.Channel) error) error {
	if d.channel == nil || d.channel.IsClosed() {
		opened, err := d.conn.channel()
		if err != nil {
			return err
		}
		d.channel = opened
	}
	return d.conn.within(func() error { return call(d.channel) })
}

func (d *declarer) close() {
	if d.channel != nil && !d.channel.IsClosed() {
		_ = d.conn.within(d.channel.Close)
	}
}
