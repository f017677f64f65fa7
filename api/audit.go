package api

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

type (
	auditInput struct {
		Actor  Given[string]    `query:"actor" doc:"Name of the key"`
		Target Given[string]    `query:"target" doc:"Such as sagas/01J…, or the id or the name alone"`
		Since  Given[time.Time] `query:"since" doc:"Only changes at or after this time"`
		Until  Given[time.Time] `query:"until" doc:"Only changes at or before this time"`
		PageInput
	}
	auditChainOutput struct {
		Body resource.AuditChain
	}
)

// maxAuditTarget bounds the filters of the audit log, in characters.
const maxAuditTarget = 300

func (s *service) auditRoutes() {
	const tag = "Audit"
	register(s, route{
		id: "list-audit", method: http.MethodGet, path: "/v1/audit", tag: tag, role: record.Admin,
		summary: "List the changes that came by the API",
		about: "Newest first. Refused calls are not changes. A key that is limited to definitions gets the changes of their sagas and of " +
			"themselves; the hashes of what lies between are then missing. Each `hash` covers the entry and the `hash` before.",
	}, s.listAudit)
	register(s, route{
		id: "get-audit-chain", method: http.MethodGet, path: "/v1/audit/chain", tag: tag, role: record.Admin, unlimited: true,
		summary: "Get the beginning and the end of the audit log", about: "`orchestrator audit verify` compares them with the entries.",
	}, s.getAuditChain)
}

func (s *service) listAudit(ctx context.Context, input *auditInput) (*listOutput[resource.AuditEntry], error) {
	page, err := input.page(auditList, isSeq)
	if err != nil {
		return nil, err
	}
	for name, text := range map[string]string{"actor": input.Actor.Value, "target": input.Target.Value} {
		if !printable(text, maxAuditTarget) {
			return nil, parameter(name, "must be at most "+decimal(maxAuditTarget)+" printable characters")
		}
	}
	found, next, err := s.Reads.Audit(ctx, record.AuditFilter{
		Actor: input.Actor.pointer(), Target: input.Target.pointer(), Since: input.Since.pointer(), Until: input.Until.pointer(),
		Scope: scopeOf(ctx),
	}, page)
	if err != nil {
		return nil, err
	}
	list, err := listOf(auditList, found, next, func(e record.AuditEntry) (resource.AuditEntry, error) { return ShowAudit(e), nil })
	return &listOutput[resource.AuditEntry]{Body: list}, err
}

func (s *service) getAuditChain(ctx context.Context, _ *struct{}) (*auditChainOutput, error) {
	found, err := s.Reads.AuditChain(ctx)
	return &auditChainOutput{Body: ShowAuditChain(found)}, err
}

// ShowAudit returns an audit entry as the API shows it.
func ShowAudit(e record.AuditEntry) resource.AuditEntry {
	orNull := func(text json.RawMessage) json.RawMessage {
		if text == nil {
			return json.RawMessage("null")
		}
		return text
	}
	return resource.AuditEntry{
		Seq: e.Seq, At: resource.Time{Time: e.At}, Actor: e.Actor, KeyID: e.KeyID, Action: e.Action, Target: e.Target, Reason: e.Reason,
		Before: orNull(e.Before), After: orNull(e.After), RequestID: e.RequestID, Hash: hex.EncodeToString(e.Hash),
	}
}

// ShowAuditChain returns the extent of the audit log as the API shows it.
func ShowAuditChain(c record.AuditChain) resource.AuditChain {
	return resource.AuditChain{
		Seq: c.Seq, Hash: hex.EncodeToString(c.Hash), FirstSeq: c.FirstSeq, FirstHash: hex.EncodeToString(c.FirstHash), Unsealed: c.Unsealed,
	}
}
