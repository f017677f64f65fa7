package operate

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	// DeliveryTimeout bounds an attempt to deliver to a webhook.
	DeliveryTimeout = 15 * time.Second
	// maxAnswer is the number of bytes of an answer that are read, so that the connection can be used again.
	maxAnswer = 64 << 10
)

var errLinkLocal = errors.New("the address is link-local, unspecified, multicast or of a metadata service, which webhooks may not be")

// CheckWebhookAddress returns an error for an address that no webhook may have.
func CheckWebhookAddress(address netip.Addr) error {
	if record.ForbiddenForWebhooks(address) {
		return errLinkLocal
	}
	return nil
}

// Sender sends deliveries by HTTP, signed as Standard Webhooks has it (https://www.standardwebhooks.com).
type Sender struct {
	client *http.Client
	now    func() time.Time
}

// NewSender returns a Sender. It follows no redirects and uses no proxy: the address that it connects to is the one that it
// checks.
func NewSender(now func() time.Time) *Sender {
	dialer := &net.Dialer{Timeout: DeliveryTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return CheckWebhookAddress(at.Addr())
	}}
	return &Sender{now: now, client: &http.Client{
		Timeout:       DeliveryTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: atOnce, IdleConnTimeout: time.Minute,
			TLSHandshakeTimeout: DeliveryTimeout, MaxResponseHeaderBytes: maxAnswer,
		},
	}}
}

// Close ends idle connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Send makes one attempt. An answer with a status of 2xx takes the event. The error names neither the URL nor its secret parts.
func (s *Sender) Send(ctx context.Context, delivery record.Delivery) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, delivery.URL, bytes.NewReader(delivery.Body))
	if err != nil {
		return errors.New("the URL is invalid")
	}
	at := strconv.FormatInt(s.now().Unix(), 10)
	request.Header.Set("Content-Type", wire.EventContentType)
	request.Header.Set("User-Agent", "saga-orchestrator")
	id := strings.ReplaceAll(delivery.EventID, ".", "_") // a full stop separates the parts of what is signed
	request.Header.Set("Webhook-Id", id)
	request.Header.Set("Webhook-Timestamp", at)
	request.Header.Set("Webhook-Signature", sign(delivery.Secret, id, at, delivery.Body))
	answer, err := s.client.Do(request)
	if err != nil {
		return withoutURL(err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // only so that the connection can be used again
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("it answered %d", answer.StatusCode)
	}
	return nil
}

// sign returns the signature of a delivery.
func sign(secret []byte, id, at string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	_, _ = mac.Write([]byte(id + "." + at + "."))
	_, _ = mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// withoutURL removes the URL from an error of the HTTP client: its path or query may be a secret. It says what a timeout means.
func withoutURL(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the receiver did not answer within %s", DeliveryTimeout)
	}
	if failed, is := errors.AsType[*url.Error](err); is {
		return failed.Err
	}
	return err
}
