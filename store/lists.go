package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

const (
	// scanBound is the number of rows that a page may scan without finding enough. The page then ends early, with a
	// position to continue from.
	scanBound = 50_000
	// probeBound is the number of newest sagas that are scanned before the label index is used: that index would read
	// every saga with a common label.
	probeBound = 2_000
)

// Sagas returns the sagas that the filter selects, newest first by id, since ULIDs sort by time. next is page.After of
// the next page, empty at the end.
func (s *Store) Sagas(
	ctx context.Context, filter record.Filter, page record.Page,
) (found []record.StoredSaga, next string, err error) {
	filter, some := filter.Scoped()
	if !some || !storable(page.After) || !storableFilter(filter) || filter.Parent != nil && !storable(*filter.Parent) {
		return nil, "", nil
	}
	lists, err := listsOf(filter, page)
	if err != nil {
		return nil, "", fmt.Errorf("list sagas: %w", err)
	}
	err = s.survey(ctx, func(tx pgx.Tx) error {
		for _, list := range lists {
			cut := newPageCut[record.StoredSaga](page)
			if err := list.read(ctx, s, tx, cut); err != nil {
				return err
			}
			found, next = cut.page(func(last *record.StoredSaga) string { return last.ID })
			if !list.probe || page.Limit > 0 && len(found) == page.Limit {
				break
			}
		}
		last := lists[len(lists)-1]
		if next != "" || last.exact || page.Limit > 0 && len(found) == page.Limit {
			return nil
		}
		next, err = last.boundary(ctx, tx)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("list sagas: %w", err)
	}
	return found, next, nil
}

// sagaList is one way to find the sagas of a filter. Each branch follows the order of an index. The branches are
// scanned together, newest first, and the filter selects from the scan.
type sagaList struct {
	arguments []any
	scanned   int      // how many of the arguments belong to the branches
	branches  []string // conditions on sagas s
	selects   []string // conditions on the scanned rows, as c
	bound     int
	limit     int
	code      bool // the scanned rows need their error codes
	exact     bool // the filter selects all rows of the branches
	probe     bool // scans only the newest sagas, before another list
}

// listsOf returns the lists to try in turn; the last one is complete. If no index gives exactly what the filter
// selects, the newest sagas are scanned first: often they are enough.
func listsOf(filter record.Filter, page record.Page) ([]*sagaList, error) {
	whole, err := newList(filter, page)
	if err != nil || page.Limit <= 0 || whole.exact && len(filter.Labels) == 0 {
		return []*sagaList{whole}, err
	}
	labels := filter.Labels
	filter.Labels = nil
	probe, err := newList(filter, page)
	if err != nil {
		return nil, err
	}
	probe.probe, probe.exact, probe.bound = true, false, probeBound
	if len(labels) > 0 {
		text, err := json.Marshal(labels)
		if err != nil {
			return nil, fmt.Errorf("encode the labels: %w", err)
		}
		probe.selects = append(probe.selects, "c.labels @> "+probe.argument(string(text))+"::jsonb")
	}
	return []*sagaList{probe, whole}, nil
}

func newList(filter record.Filter, page record.Page) (*sagaList, error) {
	l := &sagaList{bound: scanBound, limit: page.Limit, exact: filter.Version == nil && filter.Scope == nil}
	var common []string
	if page.After != "" {
		common = append(common, "s.id < "+l.argument(page.After))
	}
	if filter.CreatedAfter != nil {
		common = append(common, "s.created_at > "+l.argument(*filter.CreatedAfter))
	}
	if filter.CreatedBefore != nil {
		common = append(common, "s.created_at < "+l.argument(*filter.CreatedBefore))
	}
	if len(filter.Labels) > 0 {
		labels, err := json.Marshal(filter.Labels)
		if err != nil {
			return nil, fmt.Errorf("encode the labels: %w", err)
		}
		common = append(common, "s.labels @> "+l.argument(string(labels))+"::jsonb", "s.labels <> '{}'")
	}
	for _, branch := range l.indexed(filter) {
		l.branches = append(l.branches, strings.Join(append(branch, common...), " and "))
	}
	l.scanned = len(l.arguments)
	l.addSelects(filter)
	return l, nil
}

// argument adds a parameter and returns its placeholder.
func (l *sagaList) argument(value any) string {
	l.arguments = append(l.arguments, value)
	return "$" + strconv.Itoa(len(l.arguments))
}

// addSelects adds the conditions on every row, whatever its branch.
func (l *sagaList) addSelects(filter record.Filter) {
	if filter.Definition != nil {
		l.selects = append(l.selects, "c.definition = "+l.argument(*filter.Definition))
	}
	if filter.Scope != nil {
		l.selects = append(l.selects, "c.definition = any("+l.argument([]string(filter.Scope))+"::text[])")
	}
	if filter.Version != nil {
		l.selects = append(l.selects, "c.version = "+l.argument(*filter.Version))
	}
	if filter.Key != nil {
		l.selects = append(l.selects, "c.key = "+l.argument(*filter.Key))
	}
	if filter.Statuses != nil {
		l.selects = append(l.selects, "c.status::text = any("+l.argument(filter.Statuses)+"::text[])")
	}
	if filter.OfAttention() {
		l.selects = append(l.selects, "c.attention_reason is not null")
	}
	if filter.AttentionReasons != nil {
		l.selects = append(l.selects, "c.attention_reason::text = any("+l.argument(filter.AttentionReasons)+"::text[])")
	}
	if filter.Step != nil {
		l.selects = append(l.selects, "c.attention_step = "+l.argument(*filter.Step))
	}
	if filter.ErrorCode != nil {
		l.code = true
		l.selects = append(l.selects, "c.code = "+l.argument(*filter.ErrorCode))
	}
}

// scan returns the query of the scanned rows, newest first. Each branch has its own limit and order: otherwise the
// planner would read a large one completely and sort it.
func (l *sagaList) scan() string {
	end := " order by s.id desc limit " + strconv.Itoa(l.bound)
	if l.exact {
		end = " order by s.id desc" + l.limited()
	}
	code := "null"
	if l.code {
		code = attentionCode()
	}
	parts := make([]string, len(l.branches))
	for i, branch := range l.branches {
		parts[i] = `(select s.id, s.definition, s.version, s.key, s.status, s.attention_reason, s.attention_step, s.labels, ` +
			code + ` as code from sagas s where ` + branch + end + `)`
	}
	return strings.Join(parts, " union all ")
}

// read reads a page.
func (l *sagaList) read(ctx context.Context, s *Store, tx pgx.Tx, cut *pageCut[record.StoredSaga]) error {
	if len(l.branches) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, l.statement(), l.arguments...)
	if err != nil {
		return err
	}
	return s.readSagas(rows, func(one record.StoredSaga, row *sagaRow) { cut.add(one, row.size()) })
}

// statement returns the query of a page, bounded by about record.PageBytes. Limits are constants, so that the planner
// knows how few rows are wanted.
func (l *sagaList) statement() string {
	return `select ` + sagaColumns + ` from (
			select i.id, ` + sizeOf("i.data", "i.progress") + ` as own,
				sum(` + sizeOf("i.data", "i.progress") + `) over (order by i.id desc) as total
			from (select c.id from (` + l.bounded() + `) c` + l.where() + ` order by c.id desc` + l.limited() + `) p
			join sagas i on i.id = p.id) sized
		join sagas s on s.id = sized.id where sized.total - sized.own < ` + strconv.Itoa(2*record.PageBytes) + `
		order by s.id desc`
}

// bounded returns the scan up to its bound. An exact list needs no bound.
func (l *sagaList) bounded() string {
	if l.exact {
		return l.scan()
	}
	return `select * from (` + l.scan() + `) b order by b.id desc limit ` + strconv.Itoa(l.bound)
}

// where returns the filter of the scanned rows. It repeats the branches' conditions, so that each exists in one place.
func (l *sagaList) where() string {
	if len(l.selects) == 0 {
		return ""
	}
	return " where " + strings.Join(l.selects, " and ")
}

func (l *sagaList) limited() string {
	if l.limit <= 0 {
		return ""
	}
	return " limit " + strconv.Itoa(l.limit+1)
}

// boundary returns the last scanned saga if the scan reached its bound, and "" if it reached the end.
func (l *sagaList) boundary(ctx context.Context, tx pgx.Tx) (id string, err error) {
	if len(l.branches) == 0 {
		return "", nil
	}
	rows, err := tx.Query(ctx, `select b.id from (`+l.scan()+`) b order by b.id desc offset `+strconv.Itoa(l.bound-1)+` limit 1`,
		l.arguments[:l.scanned]...)
	if err != nil {
		return "", err
	}
	return id, readRows(rows, func(row *string) []any { return []any{row} }, func(row *string, _ error) { id = *row })
}

// storableFilter reports whether the database can hold the values of the filter.
func storableFilter(filter record.Filter) bool {
	texts := slices.Concat(slices.Collect(maps.Keys(filter.Labels)), slices.Collect(maps.Values(filter.Labels)))
	for _, text := range []*string{filter.Definition, filter.Key, filter.Step, filter.ErrorCode, filter.Parent} {
		if text != nil {
			texts = append(texts, *text)
		}
	}
	return storable(texts...) && (filter.Version == nil || storableVersion(*filter.Version))
}
