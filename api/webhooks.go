package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	webhookSecretPrefix   = "whsec_"
	webhookSecretBytes    = 32
	minWebhookSecretBytes = 24
	maxWebhookSecretBytes = 64
	maxWebhookURL         = 2048
	maxHost               = 253 // of DNS
	// webhookTestTimeout bounds a test delivery, as long as a real one.
	webhookTestTimeout = 15 * time.Second
	webhookTestType    = "webhook.test"
)

type (
	webhookInput struct {
		Name string `path:"name" doc:"Name of the webhook"`
	}
	webhookOutput struct {
		Status int
		Body   resource.Webhook
	}
	webhookTestOutput struct {
		Body resource.WebhookTest
	}
)

func (s *service) webhookRoutes() {
	const tag = "Webhooks"
	register(s, route{
		id: "put-webhook", method: http.MethodPut, path: "/v1/webhooks/{name}", tag: tag, role: record.Admin, unlimited: true,
		summary: "Store a webhook", status: http.StatusOK, body: bodyOf[resource.NewWebhook](),
		answers: answers{http.StatusCreated: resource.Webhook{}},
		about: "The answer is `201` for a new webhook. Every event of the given types is sent to the URL by POST, as a CloudEvent, signed as " +
			"Standard Webhooks has it. A delivery that is not answered with 2xx within 15 seconds is repeated after 5 s, 30 s, 2 min, 10 min, " +
			"30 min, then hourly for 24 hours. `secret` is in this answer only.",
	}, s.putWebhook)
	register(s, route{
		id: "list-webhooks", method: http.MethodGet, path: "/v1/webhooks", tag: tag, role: record.Admin, unlimited: true, summary: "List webhooks",
	}, s.listWebhooks)
	register(s, route{
		id: "get-webhook", method: http.MethodGet, path: "/v1/webhooks/{name}", tag: tag, role: record.Admin, unlimited: true,
		summary: "Get a webhook", errors: []int{http.StatusNotFound},
	}, s.getWebhook)
	register(s, route{
		id: "delete-webhook", method: http.MethodDelete, path: "/v1/webhooks/{name}", tag: tag, role: record.Admin, unlimited: true,
		summary: "Delete a webhook", about: "Its waiting deliveries are dropped.", errors: []int{http.StatusNotFound},
	}, s.deleteWebhook)
	register(s, route{
		id: "test-webhook", method: http.MethodPost, path: "/v1/webhooks/{name}/test", tag: tag, role: record.Admin, unlimited: true, long: true,
		summary: "Send a test event to a webhook", about: "It is sent once, at once, with the type `webhook.test`.",
		errors: []int{http.StatusNotFound},
	}, s.testWebhook)
}

func (s *service) putWebhook(ctx context.Context, input *webhookInput) (*webhookOutput, error) {
	given, err := decode(body(ctx), webhookFaults)
	if err != nil {
		return nil, err
	}
	if !validWebhookName(input.Name) {
		return nil, problem(resource.CodeInvalidParameter, invalidParameter, resource.FieldError{
			Parameter: "name", Message: "must be 1 to 63 lower-case letters, digits and hyphens, beginning with a letter or a digit",
		})
	}
	hook := record.Webhook{Name: input.Name, URL: given.URL, Events: slices.Compact(slices.Sorted(slices.Values(given.Events)))}
	if given.Secret != nil {
		hook.Secret, _ = webhookSecret(*given.Secret) // it was checked
	}
	random := make([]byte, webhookSecretBytes)
	_, _ = rand.Read(random) // it never returns an error
	kept, created, err := s.Webhooks.PutWebhook(ctx, hook, random)
	if err != nil {
		return nil, err
	}
	output := &webhookOutput{Status: http.StatusOK, Body: showWebhook(kept)}
	if created {
		output.Status = http.StatusCreated
	}
	if created || given.Secret != nil {
		output.Body.Secret = webhookSecretPrefix + base64.StdEncoding.EncodeToString(kept.Secret)
	}
	return output, nil
}

func (s *service) listWebhooks(ctx context.Context, _ *struct{}) (*listOutput[resource.Webhook], error) {
	found, err := s.Webhooks.Webhooks(ctx)
	output := &listOutput[resource.Webhook]{Body: resource.List[resource.Webhook]{Items: []resource.Webhook{}}}
	for _, hook := range found {
		output.Body.Items = append(output.Body.Items, showWebhook(hook))
	}
	return output, err
}

func (s *service) getWebhook(ctx context.Context, input *webhookInput) (*webhookOutput, error) {
	found, err := s.Webhooks.Webhook(ctx, input.Name)
	if err != nil {
		return nil, err
	}
	return &webhookOutput{Status: http.StatusOK, Body: showWebhook(found)}, nil
}

func (s *service) deleteWebhook(ctx context.Context, input *webhookInput) (*struct{}, error) {
	return nil, s.Webhooks.DeleteWebhook(ctx, input.Name)
}

func (s *service) testWebhook(ctx context.Context, input *webhookInput) (*webhookTestOutput, error) {
	hook, err := s.Webhooks.Webhook(ctx, input.Name)
	if err != nil {
		return nil, err
	}
	event := wire.Event{Subject: ulid.Make().String(), Seq: 1, Type: webhookTestType, At: s.Now(), Data: []byte(`{"webhook":"` + hook.Name + `"}`)}
	content, err := event.Encode(s.EventSource)
	if err != nil {
		return nil, err
	}
	delivery := record.DeliveryOf(hook.Name, &event, content)
	delivery.URL, delivery.Secret = hook.URL, hook.Secret
	limited, cancel := context.WithTimeout(ctx, webhookTestTimeout)
	defer cancel()
	output := &webhookTestOutput{Body: resource.WebhookTest{Delivered: true}}
	if hook.URLTooLong {
		err = record.ErrURLTooLong
	} else {
		err = s.SendWebhook(limited, delivery)
	}
	if err != nil {
		output.Body = resource.WebhookTest{Error: resource.Text(err.Error())}
	}
	return output, nil
}

// validWebhookName reports whether the name has the form of a step's name.
func validWebhookName(name string) bool {
	const most = 63
	alphanumeric := func(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
	if len(name) == 0 || len(name) > most || !alphanumeric(name[0]) {
		return false
	}
	for i := range len(name) {
		if !alphanumeric(name[i]) && name[i] != '-' {
			return false
		}
	}
	return true
}

func webhookFaults(given resource.NewWebhook) (faults []resource.FieldError) {
	if fault := webhookURLFault(given.URL); fault != "" {
		faults = append(faults, field("url", fault))
	}
	types := record.EventTypes()
	if len(given.Events) == 0 || len(given.Events) > len(types) {
		faults = append(faults, field("events", "must have 1 to "+decimal(len(types))+" types of events"))
	}
	for i, one := range given.Events {
		if !slices.Contains(types, one) {
			faults = append(faults, resource.FieldError{Pointer: "/events/" + decimal(i), Message: "must be a type of event, such as " +
				"saga.stuck, saga.attention, step.failed, queue.unhealthy or dead_letter.added"})
		}
	}
	if given.Secret != nil {
		if _, valid := webhookSecret(*given.Secret); !valid {
			faults = append(faults, field("secret", "must be whsec_ and 24 to 64 bytes in base64"))
		}
	}
	return faults
}

// webhookURLFault returns what is wrong with a URL. What its name resolves to is checked at each delivery.
func webhookURLFault(text string) string {
	if len(text) > maxWebhookURL {
		return "must have at most " + decimal(maxWebhookURL) + " bytes"
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Hostname() == "" || len(parsed.Hostname()) > maxHost ||
		parsed.User != nil || parsed.Fragment != "" {
		return "must be an http or https URL with a host of at most " + decimal(maxHost) + " bytes, without user and fragment"
	}
	if port, err := strconv.ParseUint(cmp.Or(parsed.Port(), "80"), 10, 16); err != nil || port == 0 {
		return "must have a port from 1 to 65535"
	}
	if address, err := netip.ParseAddr(parsed.Hostname()); err == nil {
		if record.ForbiddenForWebhooks(address) {
			return "must not be a link-local, multicast or unspecified address, or that of a metadata service"
		}
	}
	return ""
}

// webhookSecret decodes a secret of a webhook.
func webhookSecret(text string) (secret []byte, valid bool) {
	encoded, prefixed := strings.CutPrefix(text, webhookSecretPrefix)
	secret, err := base64.StdEncoding.DecodeString(encoded)
	return secret, prefixed && err == nil && len(secret) >= minWebhookSecretBytes && len(secret) <= maxWebhookSecretBytes
}

func showWebhook(hook record.Webhook) resource.Webhook {
	return resource.Webhook{
		Name: hook.Name, URL: hook.URL, Events: hook.Events, CreatedAt: resource.Time{Time: hook.CreatedAt},
		UpdatedAt: resource.Time{Time: hook.UpdatedAt}, Waiting: hook.Waiting, Oldest: resource.OptionalTime(hook.Oldest),
		LastAt: resource.OptionalTime(hook.LastAt), LastError: resource.Text(hook.LastError),
	}
}
