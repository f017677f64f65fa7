package resource

// NewWebhook is the body that stores a webhook.
type NewWebhook struct {
	URL    string   `json:"url" doc:"An http or https address that receives events"`
	Events []string `json:"events" doc:"Types of events, such as saga.stuck, saga.attention, queue.unhealthy or dead_letter.added"`
	Secret *string  `json:"secret,omitempty" doc:"Signs the deliveries: whsec_ and 24 to 64 bytes in base64. Absent: a random one, or the one that is there"`
}

// Webhook is an address that receives lifecycle events. Secret is there in the answer to the request that set it only.
type Webhook struct {
	Name      string   `json:"name"`
	URL       string   `json:"url"`
	Events    []string `json:"events"`
	Secret    string   `json:"secret,omitempty" doc:"Only in the answer to the request that set it"`
	CreatedAt Time     `json:"created_at" format:"date-time"`
	UpdatedAt Time     `json:"updated_at" format:"date-time"`
	Waiting   int64    `json:"waiting" doc:"Deliveries that it has not taken yet"`
	Oldest    *Time    `json:"oldest" format:"date-time" doc:"Since when the oldest of them waits; null: none does"`
	LastAt    *Time    `json:"last_at" format:"date-time" doc:"The latest attempt; null: none yet"`
	LastError Text     `json:"last_error" nullable:"true" doc:"Why the latest attempt failed; null: it did not"`
}

// WebhookTest is the result of a test delivery.
type WebhookTest struct {
	Delivered bool `json:"delivered"`
	Error     Text `json:"error" nullable:"true" doc:"Why it failed; null: it did not"`
}
