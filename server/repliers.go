package server

import (
	"errors"
	"fmt"
)

const (
	// maxReplierLists is the number of queues with a list of users who may reply.
	maxReplierLists = 1000
	// maxRepliers is the number of users in a list.
	maxRepliers = 100
	// maxReplierName is the longest name of a queue or user in a list, in bytes.
	maxReplierName = 128
)

func checkRepliers(lists map[string][]string) error {
	if len(lists) > maxReplierLists {
		return fmt.Errorf("repliers: more than %d queues", maxReplierLists)
	}
	for queue, users := range lists {
		if queue == "" || len(queue) > maxReplierName {
			return fmt.Errorf("repliers: the name of a queue must have 1 to %d bytes", maxReplierName)
		}
		if len(users) == 0 || len(users) > maxRepliers {
			return fmt.Errorf("repliers of queue %s: want 1 to %d users", queue, maxRepliers)
		}
		for _, user := range users {
			if user == "" || len(user) > maxReplierName {
				return errors.New("repliers of queue " + queue + ": the name of a user must have 1 to 128 bytes")
			}
		}
	}
	return nil
}
