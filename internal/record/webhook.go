package record

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Webhook is an HTTP address that receives lifecycle events.
type Webhook struct {
	Name      string
	URL       string   // its beginning if URLTooLong
	Events    []string // types, sorted
	Secret    []byte   // signs deliveries
	CreatedAt time.Time
	UpdatedAt time.Time

	Waiting   int64     // deliveries that were not taken yet; set by the store
	Oldest    time.Time // when the oldest of them was due first; zero: none; set by the store
	LastError string    // of the latest failed delivery; empty: none, or a later one succeeded
	LastAt    time.Time // of the latest attempt; zero: none

	URLTooLong bool // SQL has stored a URL to which nothing is delivered; set by the store
}

// ForbiddenForWebhooks reports whether no webhook may have an address: link-local ones, which are those of the metadata services
// of clouds and give away credentials, also inside the forms of IPv6 that carry an address of IPv4.
func ForbiddenForWebhooks(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	if address == netip.MustParseAddr("fd00:ec2::254") { // a metadata service at a private address
		return true
	}
	if inner, carries := carried(address); carries && ForbiddenForWebhooks(inner) {
		return true
	}
	return address.IsLinkLocalUnicast() || address.IsMulticast() || address.IsUnspecified() || address.IsInterfaceLocalMulticast()
}

// carried returns the address of IPv4 in an address by NAT64, by 6to4, or in the old compatible form.
func carried(address netip.Addr) (inner netip.Addr, carries bool) {
	if !address.Is6() || address.IsLoopback() || address.IsUnspecified() {
		return netip.Addr{}, false
	}
	bytes := address.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(address), netip.MustParsePrefix("::/96").Contains(address):
		return netip.AddrFrom4([4]byte(bytes[12:])), true
	case netip.MustParsePrefix("64:ff9b:1::/48").Contains(address):
		return netip.AddrFrom4([4]byte(bytes[12:])), true
	case netip.MustParsePrefix("2002::/16").Contains(address):
		return netip.AddrFrom4([4]byte(bytes[2:6])), true
	}
	return netip.Addr{}, false
}

// MaxWebhooks is the number of webhooks of an installation.
const MaxWebhooks = 100

// Types of events that do not come from a saga's history.
const (
	EventQueueUnhealthy  = "queue.unhealthy"
	EventQueueHealthy    = "queue.healthy"
	EventDeadLetterAdded = "dead_letter.added"
)

// EventTypes returns the types of all lifecycle events, sorted.
func EventTypes() []string {
	types := []string{EventQueueUnhealthy, EventQueueHealthy, EventDeadLetterAdded}
	for _, entry := range saga.EntryTypes() {
		types = append(types, string(entry))
	}
	slices.Sort(types)
	return types
}

// Delivery is an event that a webhook has not taken yet.
type Delivery struct {
	Webhook   string
	EventID   string
	Type      string
	Body      []byte // the CloudEvent; nil if Unreadable
	CreatedAt time.Time
	Attempts  int // that failed
	// Unreadable says why Body cannot be read, or that the webhook's URL is too long; nil: neither.
	Unreadable error

	URL    string // of the webhook
	Secret []byte // of the webhook
}

// DeliveryClaim asks for due deliveries of webhooks.
type DeliveryClaim struct {
	Room  map[string]int // webhook → most deliveries
	Lease time.Duration  // until another replica may claim them
}

// DeliveryOutcome is the result of an attempt.
type DeliveryOutcome struct {
	Webhook, EventID string
	Error            string        // empty: taken
	RetryAfter       time.Duration // 0 with an Error: given up
}

// DeliveryOf returns an undelivered event for a webhook.
func DeliveryOf(webhook string, event *wire.Event, body []byte) Delivery {
	id := event.ID()
	if len(id) > maxEventID { // SQL has written the event
		id = fmt.Sprintf("%x", sha256.Sum256([]byte(id)))
	}
	return Delivery{Webhook: webhook, EventID: id, Type: event.Type, Body: body}
}

// maxEventID is the length of an event's id beyond which its hash stands for it, so that it fits an index.
const maxEventID = 255

// Audited is what the audit log says of a webhook.
func (w *Webhook) Audited() map[string]any { return map[string]any{"url": w.URL, "events": w.Events} }

// AuditedChange is what the audit log says of a webhook before and after a change, without its secret. known is the webhook
// before; nil: it is new. changed is false if nothing is to be said.
func (w *Webhook) AuditedChange(known *Webhook) (before, after any, changed bool) {
	if known == nil {
		return nil, w.Audited(), true
	}
	said := w.Audited()
	secret := !bytes.Equal(w.Secret, known.Secret)
	if secret {
		said["secret"] = "replaced"
	}
	return known.Audited(), said, secret || w.URL != known.URL || !slices.Equal(w.Events, known.Events)
}
