package steps

// recent remembers the ids that were added last.
type recent struct {
	ids  []string // a ring
	next int
	set  map[string]struct{}
}

func newRecent(size int) *recent {
	return &recent{ids: make([]string, size), set: make(map[string]struct{})}
}

func (r *recent) has(id string) bool {
	_, found := r.set[id]
	return found
}

func (r *recent) add(id string) {
	delete(r.set, r.ids[r.next])
	r.ids[r.next] = id
	r.set[id] = struct{}{}
	r.next = (r.next + 1) % len(r.ids)
}
