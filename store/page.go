package store

import (
	"strconv"
	"strings"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// pageCut collects the items of a page. The page ends at its limit or at record.PageBytes.
type pageCut[Item any] struct {
	wanted int // 0: all
	items  []Item
	bytes  int
	more   bool // further items exist
}

func newPageCut[Item any](page record.Page) *pageCut[Item] { return &pageCut[Item]{wanted: page.Limit} }

// limit returns the limit of the statement: one more row than wanted shows whether there are more.
func (c *pageCut[Item]) limit() *int {
	if c.wanted <= 0 {
		return nil
	}
	return new(c.wanted + 1)
}

// add adds the next item unless the page is full.
func (c *pageCut[Item]) add(item Item, bytes int) {
	c.bytes += bytes
	if c.more || c.wanted > 0 && len(c.items) == c.wanted || len(c.items) > 0 && c.bytes > record.PageBytes {
		c.more = true
		return
	}
	c.items = append(c.items, item)
}

// page returns the items. If there are more, next is the position of the last one.
func (c *pageCut[Item]) page(position func(*Item) string) (items []Item, next string) {
	if c.more && len(c.items) > 0 {
		next = position(&c.items[len(c.items)-1])
	}
	return c.items, next
}

// sizeOf returns SQL for the approximate size of a row's JSON columns.
func sizeOf(columns ...string) string {
	sizes := make([]string, len(columns))
	for i, column := range columns {
		sizes[i] = strings.ReplaceAll(`case when pg_column_size(COLUMN) > 1000 then octet_length(COLUMN::text)
			else coalesce(pg_column_size(COLUMN), 0) end`, "COLUMN", column)
	}
	return strings.Join(sizes, " + ")
}

// readableSize returns SQL that is true if the text of a JSON column has at most so many bytes. What is larger while it is compressed is not
// decompressed for it.
func readableSize(column string, most int) string {
	return strings.NewReplacer("COLUMN", column, "MOST", strconv.Itoa(most)).Replace(
		`case when pg_column_size(COLUMN) > MOST then false when pg_column_size(COLUMN) > 1000 then octet_length(COLUMN::text) <= MOST else true end`)
}

// boundedText returns SQL for a text, cut to its beginning if it has more bytes.
func boundedText(column string, most int) string {
	return strings.NewReplacer("COLUMN", column, "MOST", strconv.Itoa(most), "SHOWN", strconv.Itoa(most/4)).Replace( // 4 bytes a character at most
		`case when octet_length(COLUMN) > MOST then left(COLUMN, SHOWN) || '…' else COLUMN end`)
}
