package demo

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// Fault is something that a viewer can break and repair.
type Fault struct {
	Name  string // for programs
	Title string // what happens while it is on
	On    bool
}

// The names of the faults.
const (
	PaymentsFail = "payments-fail"
	PaymentsHang = "payments-hang"
	EmailFails   = "email-fails"
)

// faults holds the faults that are on.
type faults struct {
	mu  sync.Mutex
	all []Fault
	// changed is closed at each change, and replaced.
	changed chan struct{}
}

func newFaults() *faults {
	return &faults{changed: make(chan struct{}), all: []Fault{
		{Name: PaymentsFail, Title: "The payments worker refuses every charge: orders are compensated"},
		{Name: PaymentsHang, Title: "The payments worker hangs: charges get no answer and time out"},
		{Name: EmailFails, Title: "The mail server refuses every receipt: orders get stuck until it works and they are retried"},
	}}
}

// Faults returns all faults, in the order in which to show them.
func (d *Demo) Faults() []Fault {
	d.faults.mu.Lock()
	defer d.faults.mu.Unlock()
	return append([]Fault(nil), d.faults.all...)
}

// SetFault turns a fault on or off. A worker has one fault at a time: turning one on turns the other one of that worker off.
func (d *Demo) SetFault(name string, on bool) error {
	f := d.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	worker, _, _ := strings.Cut(name, "-")
	known := false
	for i := range f.all {
		switch {
		case f.all[i].Name == name:
			f.all[i].On, known = on, true
		case on && strings.HasPrefix(f.all[i].Name, worker+"-"):
			f.all[i].On = false
		}
	}
	if !known {
		return fmt.Errorf("the demo has no fault %q", name)
	}
	close(f.changed)
	f.changed = make(chan struct{})
	return nil
}

// isOn reports whether a fault is on. changed is closed at the next change of any fault.
func (f *faults) isOn(name string) (on bool, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range f.all {
		on = on || fault.Name == name && fault.On
	}
	return on, f.changed
}

// hang waits while a fault is on. Its error is that of ctx.
func (f *faults) hang(ctx context.Context, name string) error {
	for {
		on, changed := f.isOn(name)
		if !on {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
