package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/server"
)

// auditCommand is `orchestrator audit`.
type auditCommand struct {
	remote `embed:""`

	List   auditList   `cmd:"" help:"List the changes that came by the API, newest first."`
	Verify auditVerify `cmd:"" help:"Recompute the chain of the audit log, and report the first break."`
}

type auditList struct {
	Actor  *string    `help:"Only changes by keys of this name."`
	Target *string    `help:"Only changes of this target, such as sagas/01J… or its id alone."`
	Since  *time.Time `help:"Only changes at or after this time, such as 2026-11-23T10:00:00Z."`
	Until  *time.Time `help:"Only changes at or before this time."`
	Limit  pageSize   `default:"50" help:"Maximum number of items, up to 500."`
	Cursor string     `help:"Cursor of the page, from the previous one."`
}

// Run lists one page.
func (c *auditList) Run(ctx context.Context, group *auditCommand, out *streams) error {
	filter := client.AuditFilter{Actor: c.Actor, Target: c.Target, Since: c.Since, Until: c.Until}
	list, err := group.client().Audit(ctx, filter, client.Page{Limit: int(c.Limit), Cursor: c.Cursor})
	if err != nil {
		return err
	}
	p := group.printer(out)
	defer out.more(p, list.NextCursor)
	return p.show(list, func(table *tabwriter.Writer) {
		row(table, "SEQ", "AT", "ACTOR", "ACTION", "TARGET", "BEFORE", "AFTER", "REASON")
		for _, e := range list.Items {
			row(table, e.Seq, p.ago(e.At), e.Actor, e.Action, e.Target, string(e.Before), string(e.After), e.Reason)
		}
	})
}

// auditPage is the number of entries that verify reads at a time.
const auditPage = 500

type auditVerify struct {
	Expect expectedEntry `placeholder:"SEQ:HASH" help:"The last entry as an earlier verification printed it: finds a chain that was written anew."`
}

// expectedEntry is an entry that the chain must have. The zero value expects none.
type expectedEntry struct {
	seq  int64
	hash string
}

// UnmarshalText parses SEQ:HASH.
func (e *expectedEntry) UnmarshalText(text []byte) error {
	seq, hash, _ := strings.Cut(string(text), ":")
	number, err := strconv.ParseInt(seq, 10, 64)
	decoded, notHex := hex.DecodeString(hash)
	if err != nil || notHex != nil || number < 1 || len(decoded) != record.AuditHashSize {
		return errors.New("must be SEQ:HASH, as audit verify prints the last entry")
	}
	*e = expectedEntry{seq: number, hash: strings.ToLower(hash)}
	return nil
}

// auditVerdict is the result of verify.
type auditVerdict struct {
	Valid    bool   `json:"valid"`
	Entries  int64  `json:"entries"`
	First    int64  `json:"first"` // of the entries that are there
	Seq      int64  `json:"seq"`
	Hash     string `json:"hash"`
	Break    string `json:"break,omitempty"`
	Unsealed int64  `json:"unsealed"`
}

// Run verifies the whole chain.
func (c *auditVerify) Run(ctx context.Context, group *auditCommand, out *streams) error {
	verdict, err := verifyAudit(ctx, group.client(), c.Expect)
	if err != nil {
		return err
	}
	p := group.printer(out)
	p.answer = nil // of a single page
	err = p.show(verdict, func(table *tabwriter.Writer) {
		if verdict.Valid {
			row(table, "valid", fmt.Sprintf("%d entries", verdict.Entries))
		} else {
			row(table, "broken", verdict.Break)
		}
		row(table, "first", verdict.First)
		row(table, "last", fmt.Sprintf("%d:%s", verdict.Seq, verdict.Hash))
		row(table, "unsealed", verdict.Unsealed)
	})
	if err == nil && !verdict.Valid {
		err = errors.New("the audit log is not as it was written")
	}
	return err
}

// chainCheck recomputes the chain from its newest entry to its oldest, and keeps the lowest break.
type chainCheck struct {
	chain    resource.AuditChain
	expected expectedEntry
	found    bool                 // the expected entry was met
	above    *resource.AuditEntry // the entry after the one that comes next; nil: none
	fault    string
}

func verifyAudit(ctx context.Context, api *client.Client, expected expectedEntry) (auditVerdict, error) {
	chain, err := api.AuditChain(ctx)
	if err != nil {
		return auditVerdict{}, err
	}
	check := chainCheck{chain: chain, expected: expected}
	verdict := auditVerdict{Seq: chain.Seq, Hash: chain.Hash, Unsealed: chain.Unsealed}
	if chain.Hash == "" { // an empty chain has a hash of zeros
		verdict.Break = "the record of where the chain begins and ends, the row of the table audit_chain, is missing"
		return verdict, nil
	}
	for page := (client.Page{Limit: auditPage}); ; {
		list, err := api.Audit(ctx, client.AuditFilter{}, page)
		if err != nil {
			return verdict, err
		}
		for i := range list.Items {
			verdict.Entries++
			verdict.First = list.Items[i].Seq
			if err := check.take(&list.Items[i]); err != nil {
				return verdict, err
			}
		}
		if page.Cursor = string(list.NextCursor); page.Cursor == "" {
			break
		}
	}
	err = check.end()
	verdict.Break, verdict.Valid = check.fault, check.fault == ""
	return verdict, err
}

// take checks the entry above against this one, which is before it.
func (c *chainCheck) take(entry *resource.AuditEntry) error {
	switch {
	case c.above == nil && entry.Seq < c.chain.Seq:
		c.fault = fmt.Sprintf("entries %d to %d are missing", entry.Seq+1, c.chain.Seq)
	case entry.Seq == c.chain.Seq && entry.Hash != c.chain.Hash:
		c.fault = fmt.Sprintf("entry %d is not the one with which the chain ended", entry.Seq)
	case c.above != nil && entry.Seq != c.above.Seq-1:
		c.fault = fmt.Sprintf("entries %d to %d are missing", entry.Seq+1, c.above.Seq-1)
		c.above = nil // without the entry before it, its hash says nothing
	}
	if entry.Seq == c.expected.seq {
		c.found = true
		if entry.Hash != c.expected.hash {
			c.fault = fmt.Sprintf("entry %d is not the one that was expected", entry.Seq)
		}
	}
	err := c.link(entry.Hash)
	c.above = entry
	return err
}

// end checks the oldest entry against the one before it, which was deleted by its age or is the beginning of the chain.
func (c *chainCheck) end() error {
	first := c.chain.Seq
	if c.above != nil {
		first = c.above.Seq - 1
	}
	if first != c.chain.FirstSeq {
		c.fault = fmt.Sprintf("entries %d to %d are missing", c.chain.FirstSeq+1, first)
		return nil
	}
	if c.expected.seq > c.chain.FirstSeq && !c.found {
		c.fault = fmt.Sprintf("entry %d is missing", c.expected.seq)
	}
	return c.link(c.chain.FirstHash)
}

// link checks the hash of the entry above.
func (c *chainCheck) link(previous string) error {
	if c.above == nil {
		return nil
	}
	e := c.above
	before, err := hex.DecodeString(previous)
	if err != nil {
		return fmt.Errorf("decode the hash before entry %d: %w", e.Seq, err)
	}
	sealed := record.AuditEntry{
		Seq: e.Seq, At: e.At.Time, Actor: e.Actor, KeyID: e.KeyID, Action: e.Action, Target: e.Target, Reason: e.Reason,
		Before: notNull(e.Before), After: notNull(e.After), RequestID: e.RequestID,
	}
	hash, err := sealed.Seal(before)
	if err == nil && hex.EncodeToString(hash) != e.Hash {
		c.fault = fmt.Sprintf("entry %d was changed, or the one before it is not the one that was there", e.Seq)
	}
	return err
}

func notNull(text json.RawMessage) json.RawMessage {
	if string(text) == "null" {
		return nil
	}
	return text
}

// auditFlags are the flags of the audit log.
type auditFlags struct {
	Audit       string    `default:"all" enum:"all,operators" env:"ORCHESTRATOR_AUDIT" help:"Changes in the audit log. all: every change that came by the API; operators: all but starts of sagas."`
	RetainAudit retention `default:"0" env:"ORCHESTRATOR_RETAIN_AUDIT" help:"Age at which entries of the audit log are deleted, such as 365d; 0: they are kept."`
}

// apply sets the fields of the server's configuration.
func (f auditFlags) apply(config *server.Config) {
	config.StartsUnaudited, config.RetainAudit = f.Audit == "operators", time.Duration(f.RetainAudit)
}
