package sim

// events is a heap, earliest event first. It avoids the allocations of container/heap, which would dominate a
// simulation.
type events []event

func (e events) before(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}

func (e *events) push(added event) {
	*e = append(*e, added)
	queue := *e
	for i := len(queue) - 1; i > 0; {
		parent := (i - 1) / 2
		if !queue.before(i, parent) {
			return
		}
		queue[i], queue[parent] = queue[parent], queue[i]
		i = parent
	}
}

func (e *events) pop() event {
	queue := *e
	first, last := queue[0], len(queue)-1
	queue[0], queue[last] = queue[last], event{}
	queue = queue[:last]
	*e = queue
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if queue.before(child, least) {
				least = child
			}
		}
		if least == i {
			return first
		}
		queue[i], queue[least] = queue[least], queue[i]
		i = least
	}
}
