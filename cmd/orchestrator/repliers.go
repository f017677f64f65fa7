package main

import (
	"fmt"
	"strings"
)

// repliers are lists such as payments=svc-payments,svc-refunds;inventory=svc-inventory.
type repliers map[string][]string

// UnmarshalText reads the lists.
func (r *repliers) UnmarshalText(text []byte) error {
	lists := make(repliers)
	for part := range strings.SplitSeq(string(text), ";") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		queue, users, found := strings.Cut(part, "=")
		queue = strings.TrimSpace(queue)
		if _, twice := lists[queue]; !found || queue == "" || twice {
			return fmt.Errorf("%q: want QUEUE=USER,USER, each queue once, with ; between queues", part)
		}
		for user := range strings.SplitSeq(users, ",") {
			if user = strings.TrimSpace(user); user == "" {
				return fmt.Errorf("%q: a user without a name", part)
			}
			lists[queue] = append(lists[queue], user)
		}
	}
	*r = lists
	return nil
}
