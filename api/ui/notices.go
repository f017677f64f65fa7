package ui

import (
	"net/url"
	"strings"
)

// notice is what the view after a form says. Its code is in the address, never its text: anyone can write an address.
type notice string

const (
	noticeStarted   notice = "started"
	noticeVersion   notice = "version"
	noticeDisabled  notice = "disabled"
	noticeEnabled   notice = "enabled"
	noticeLimits    notice = "queue-limits"
	noticePaused    notice = "queue-paused"
	noticeResumed   notice = "queue-resumed"
	noticeRedriven  notice = "redriven"
	noticeDiscarded notice = "discarded"
	noticeContinued notice = "bulk-continued"
	noticeCancelled notice = "bulk-cancelled"
	noticeRevoked   notice = "key-revoked"
	noticeWebhook   notice = "webhook"
	noticeUnhooked  notice = "webhook-deleted"
	noticeSignalled notice = "signalled"

	noticeActed = "acted-" // and the name of the action
)

// text returns what a notice says; nothing if the page does not know it.
func (n notice) text() string {
	if name, is := strings.CutPrefix(string(n), noticeActed); is {
		info, known := actionNamed(name)
		if !known {
			return ""
		}
		return info.Title + ": done. The history has it with your reason."
	}
	switch n {
	case noticeStarted:
		return "The saga is started."
	case noticeVersion:
		return "The definition is registered. The newest version is shown."
	case noticeDisabled:
		return "Starts of this definition are refused from now on. Its running sagas continue."
	case noticeEnabled:
		return "Sagas of this definition can be started again."
	case noticeLimits:
		return "The queue has its new limits."
	case noticePaused:
		return "The queue is paused: its commands wait in the outbox."
	case noticeResumed:
		return "The queue goes on."
	case noticeSignalled:
		return "The signal is given. The history has it."
	case noticeRedriven:
		return "The message is on its way to its queue."
	case noticeDiscarded:
		return "The dead letter is discarded."
	case noticeContinued:
		return "The bulk action goes on."
	case noticeCancelled:
		return "The bulk action has ended. What it has done stays done."
	case noticeRevoked:
		return "The key is revoked."
	case noticeWebhook:
		return "The webhook is changed. Its secret is the one that it had."
	case noticeUnhooked:
		return "The webhook is deleted, with the deliveries that waited for it."
	}
	return ""
}

// withNotice adds a notice to the address of the next view.
func withNotice(path string, said notice) string {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return path + separator + "notice=" + url.QueryEscape(string(said))
}
