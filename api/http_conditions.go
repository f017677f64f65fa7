package api

import (
	"context"
	"strconv"
	"strings"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// maxTags bounds the entity tags that a condition lists.
const maxTags = 20

// etag returns the entity tag of a revision.
func etag(revision int64) string { return `"` + decimal(revision) + `"` }

// parseTags parses the entity tags of If-Match or If-None-Match (RFC 9110): a list of tags, or *. Weak and strong tags are
// equal, because a compressing proxy makes tags weak. A bare revision is accepted as a tag.
func parseTags(name, header string) (revisions []int64, every bool, err error) {
	text := strings.Trim(header, " \t")
	if text == "*" {
		return nil, true, nil
	}
	for tag := range strings.SplitSeq(text, ",") {
		tag = strings.Trim(tag, " \t")
		if tag == "" {
			continue // RFC 9110 allows empty elements
		}
		revision, ok := parseTag(tag)
		if !ok {
			return nil, false, parameter(name, `must be *, or ETags of this saga such as "3", W/"3", or a list of them`)
		}
		revisions = append(revisions, revision)
	}
	switch {
	case len(revisions) == 0:
		return nil, false, parameter(name, "must not be empty: omit the header, or send an ETag")
	case len(revisions) > maxTags:
		return nil, false, parameter(name, "must list at most "+decimal(maxTags)+" ETags")
	}
	return revisions, false, nil
}

// parseTag parses one tag: a quoted revision with an optional W/ before it.
func parseTag(tag string) (revision int64, ok bool) {
	strong, weak := strings.CutPrefix(tag, "W/")
	text, quoted := strings.CutPrefix(strong, `"`)
	if quoted {
		text, quoted = strings.CutSuffix(text, `"`)
		if !quoted {
			return 0, false
		}
	}
	revision, err := strconv.ParseInt(text, 10, 64)
	plain := text != "" && text[0] >= '1' && text[0] <= '9'
	return revision, err == nil && plain && (quoted || !weak)
}

// ifMatch returns the revision that an action requires; 0 is any. Of several tags it returns the one that the saga is at,
// so that the engine still refuses the action if the saga changes in between.
func (s *service) ifMatch(ctx context.Context, id, header string) (int64, error) {
	if header == "" {
		return 0, nil
	}
	revisions, every, err := parseTags("If-Match", header)
	if err != nil || every {
		return 0, err
	}
	if len(revisions) == 1 {
		return revisions[0], nil
	}
	found, err := s.Reads.Saga(ctx, id)
	if err != nil {
		return 0, err
	}
	for _, revision := range revisions {
		if revision == found.Revision {
			return revision, nil
		}
	}
	return revisions[0], nil // the engine refuses it and reports the actual revision
}

// unchanged reports whether If-None-Match lists the saga's revision.
func unchanged(header string, in saga.Instance) (bool, error) {
	if header == "" {
		return false, nil
	}
	revisions, every, err := parseTags("If-None-Match", header)
	for _, revision := range revisions {
		every = every || revision == in.Revision
	}
	return every, err
}
