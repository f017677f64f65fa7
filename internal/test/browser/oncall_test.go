package browser_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/test/browser"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// A group of stuck sagas is found, understood, tried out, repaired with a canary, and completes.
func TestAGroupOfStuckSagasIsRepaired(t *testing.T) {
	t.Parallel()
	d := open(t, browser.Look{})
	d.define("order", orderBody)
	var ids []string
	for i := range 5 {
		ids = append(ids, d.start("order", fmt.Sprintf("order-%d", i), `{"email":"ken at example.com"}`).ID)
	}
	for _, id := range ids {
		d.until(id, saga.Stuck)
	}

	d.visit("/")
	d.see("5 sagas need an operator")
	d.see("Retries exhausted")
	d.click("5")
	d.see("address_refused: this is not an email address")
	assert.Contains(t, d.address(), "error_code=address_refused", "the filter is in the address")

	d.click("order-0")
	d.see("Every attempt of step receipt has failed")
	d.see("nothing happens until an operator acts")
	d.visit("/")
	d.click("Fix data")
	d.fill("patch", `{"email":"ken@example.com"}`)
	d.click("Dry run")
	d.see("5 of 5 would be acted upon")
	d.see("change the data")
	d.see("Nothing has been done")
	d.fill("reason", "the customer told us")
	d.click("Fix data 5 of 5")
	d.see("completed")

	d.visit("/")
	d.click("Retry")
	d.fill("reason", "the addresses are repaired")
	d.fill("canary", "2")
	d.click("Retry without a dry run")
	d.see("The canary is done")
	d.see("2 of 5")
	d.click("Continue with 3")
	d.see("5 of 5")
	for _, id := range ids {
		d.until(id, saga.Completed)
	}
	d.visit("/")
	d.see("No saga needs an operator")
	d.fine()
}

// The view of a saga follows it without being loaded again.
func TestASagaIsShownLiveUntilItCompletes(t *testing.T) {
	t.Parallel()
	d := open(t, browser.Look{})
	d.define("order", orderBody)
	id := d.start("order", "", `{"email":"nobody"}`).ID
	d.until(id, saga.Stuck)
	d.visit("/ui/sagas/" + id)
	d.see("Retries exhausted")
	_, err := d.client.Skip(t.Context(), id, client.ActionOptions{Step: "receipt", Reason: "sent by hand"})
	require.NoError(t, err)
	d.see("The saga has completed")
	d.see("nothing more: the saga has ended")
	d.fine()
}

func TestTheDataOfASagaIsEdited(t *testing.T) {
	t.Parallel()
	d := open(t, browser.Look{})
	d.define("order", orderBody)
	id := d.start("order", "", `{"email":"nobody","keep":1}`).ID
	d.until(id, saga.Stuck)
	d.visit("/ui/sagas/" + id)
	d.click("Fix data")
	d.fill("data", `{"email":"ken@example.com","keep":1,}`)
	d.fill("reason", "typing error")
	d.click("Fix data")
	d.see("The data is not valid JSON (line 1")
	d.fill("data", `{"email":"ken@example.com","keep":1,"by":"orders.confirm"}`)
	d.click("Show what it would do")
	d.see("change the data")
	d.click("Fix data")
	d.see("Fix data: done")
	now := d.until(id, saga.Stuck)
	assert.JSONEq(t, `{"email":"ken@example.com","keep":1,"by":"orders.confirm"}`, string(now.Data))
	d.click("Retry")
	d.see("send email.receipt to queue work")
	d.click("Retry")
	d.until(id, saga.Completed)
}

func TestARunningSagaIsCancelled(t *testing.T) {
	t.Parallel()
	d := open(t, browser.Look{})
	d.define("slow", slowBody)
	id := d.start("slow", "", `{}`).ID
	d.visit("/ui/sagas/" + id)
	d.see("Waiting for worker")
	d.click("Cancel and compensate")
	d.see("It would now")
	d.fill("reason", "a test order")
	d.click("Cancel and compensate")
	d.see("Cancel and compensate: done")
	close(d.hold)
	d.until(id, saga.Compensated)
	d.see("The saga is compensated")
	d.fine()
}

// A live view redraws the part that has the focus, too, and the focus stays where it was.
func TestAFocusedPartFollowsTheSaga(t *testing.T) {
	t.Parallel()
	d := open(t, browser.Look{})
	d.define("slow", slowBody)
	id := d.start("slow", "", `{}`).ID
	d.visit("/ui/sagas/" + id)
	d.see("Waiting for worker")
	require.NoError(t, d.tab.Do(chromedp.Focus(`#s-time a[href="#step-wait"]`)))
	close(d.hold)
	d.until(id, saga.Completed)
	const settled = `(() => { const part = document.querySelector("#s-time .lanes");
		return !part.textContent.includes("running") && !part.textContent.includes("pending") && part.textContent.includes("succeeded") })()`
	require.Eventually(t, func() bool {
		var done bool
		return d.tab.Do(chromedp.Evaluate(settled, &done)) == nil && done
	}, browser.Patience, 50*time.Millisecond, "the timeline is not redrawn")
	var focused string
	require.NoError(t, d.tab.Do(chromedp.Evaluate(`document.activeElement.getAttribute("href") || ""`, &focused)))
	assert.Equal(t, "#step-wait", focused)
	d.fine()
}

func TestADeadLetterIsRedriven(t *testing.T) {
	t.Parallel()
	d := open(t, browser.Look{})
	d.poison.Store(true)
	d.define("poison", poisonBody)
	id := d.start("poison", "", `{}`).ID
	require.Eventually(t, func() bool {
		stats, err := d.client.Stats(t.Context())
		return err == nil && stats.DeadLetters == 1
	}, browser.Patience, 20e6)
	d.poison.Store(false)
	d.visit("/")
	d.click("Dead letters")
	d.see("Rejected")
	d.click("…")
	d.see("Redrive sends it to where it was going")
	d.fill("reason", "the worker is repaired")
	d.click("Redrive")
	d.see("The message is on its way")
	d.until(id, saga.Completed)
	d.fine()
}

func TestASagaIsStarted(t *testing.T) {
	t.Parallel()
	d := open(t, browser.Look{})
	d.define("order", orderBody)
	d.visit("/ui/definitions")
	d.click("order")
	d.see("point of no return")
	d.click("Start a saga")
	d.fill("data", `{"email":`)
	d.click("Start a saga")
	d.see("is not valid JSON")
	d.fill("data", `{"email":"ken@example.com"}`)
	d.fill("key", "order-42")
	d.click("Start a saga")
	d.see("order-42")
	id, _, _ := strings.Cut(strings.TrimPrefix(d.address(), "/ui/sagas/"), "?")
	d.until(id, saga.Completed)
	d.see("The saga has completed")
}

func TestThePageIsUsedByKeys(t *testing.T) {
	t.Parallel()
	d := open(t, browser.Look{})
	d.define("order", orderBody)
	id := d.start("order", "order-7", `{"email":"ken@example.com"}`).ID
	d.visit("/")
	d.press("gs")
	d.see("order-7")
	d.press("j")
	d.press(enter)
	d.see(id)
	d.press("?")
	var opened bool
	require.NoError(t, d.tab.Do(chromedp.Evaluate(`document.getElementById("keys-dialog").open`, &opened)))
	assert.True(t, opened)
	d.visit("/")
	d.press("/")
	var focused string // the driver types the slash, too, which a keyboard does not once its key is handled
	require.NoError(t, d.tab.Do(chromedp.Evaluate(`document.activeElement.name + (document.activeElement.value = "")`, &focused)))
	assert.Equal(t, "q", focused)
	d.press("order-7" + enter)
	d.see("Tick rows")
	assert.Contains(t, d.address(), "key=order-7")
	var before, after string
	dark := chromedp.Evaluate(`document.documentElement.dataset.theme || "system"`, &after)
	require.NoError(t, d.tab.Do(chromedp.Evaluate(`document.documentElement.dataset.theme || "system"`, &before)))
	require.NoError(t, d.tab.Do(chromedp.Evaluate(`document.activeElement.blur()`, nil)))
	d.press("t")
	require.NoError(t, d.tab.Do(dark))
	assert.NotEqual(t, before, after)
	d.visit("/ui/queues") // the choice is in a cookie, so the server paints the next view in it
	var next string
	require.NoError(t, d.tab.Do(chromedp.Evaluate(`document.documentElement.dataset.theme`, &next)))
	assert.Equal(t, after, next)
	d.fine()
}

func TestAQueueIsPausedAndResumed(t *testing.T) {
	t.Parallel()
	d := open(t, browser.Look{})
	d.define("order", orderBody)
	d.visit("/ui/queues")
	d.click("work")
	d.see("Commands out at a time")
	d.click("Pause")
	d.see("The queue is paused")
	id := d.start("order", "order-9", `{"email":"ken@example.com"}`).ID
	d.visit("/ui/sagas/" + id)
	d.see("Held back")
	d.visit("/ui/queues/work")
	d.fill("max_out", "many")
	d.click("Set limits")
	d.see("Commands out must be a number")
	d.fill("max_out", "5")
	d.fill("rate", "50")
	d.click("Set limits")
	d.see("The queue has its new limits")
	d.click("Resume")
	d.see("The queue goes on")
	d.until(id, saga.Completed)
	d.visit("/ui/queues")
	d.see("5 out 50/s")
}

func TestASagaIsRewound(t *testing.T) {
	t.Parallel()
	d := open(t, browser.Look{})
	d.define("slow", `{"steps":[{"name":"first","queue":"work","command":"inventory.reserve","compensation":"inventory.release"},
		{"name":"second","queue":"work","command":"hold.do","compensation":"ask.release"}]}`)
	id := d.start("slow", "", `{}`).ID
	d.visit("/ui/sagas/" + id)
	d.click("Rewind")
	d.see("It would now")
	d.fill("patch", `{"size":"L"}`)
	d.fill("reason", "another size")
	d.click("Rewind")
	d.see("Rewind: done")
	close(d.hold)
	now := d.until(id, saga.Completed)
	assert.Contains(t, string(now.Data), `"L"`)
	d.see("The saga has completed")
}
