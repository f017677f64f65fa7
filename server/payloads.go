package server

import (
	"fmt"

	"github.com/saga-orchestrator/orchestrator/internal/operate"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/seal"
)

// payloadKeys returns the keys of payloads; nil: none.
func (c Config) payloadKeys() (*seal.Keys, error) {
	if c.PayloadKeys == "" {
		return nil, nil //nolint:nilnil // see above
	}
	keys, err := seal.Parse([]byte(c.PayloadKeys))
	if err != nil {
		return nil, fmt.Errorf("payload keys: %w", err)
	}
	return keys, nil
}

// newPayloads returns nil for a store that seals nothing.
func (s *Server) newPayloads() *operate.Payloads {
	sealed, is := s.store.(operate.SealedStore)
	if !is {
		return nil
	}
	return &operate.Payloads{
		Store: sealed, Seals: s.config.PayloadKeys != "", Logger: s.config.Logger,
		Found: func(status record.PayloadStatus) { s.metrics.rewrite.Set(float64(status.Remaining)) },
	}
}

func (s *Server) payloadStatus() func() record.PayloadStatus {
	if s.payloads == nil {
		return nil
	}
	return s.payloads.Status
}
