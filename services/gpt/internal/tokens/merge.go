package tokens

import "math"

// merger applies byte-pair encoding to one piece of text at a time: of all pairs
// of neighbours that are a token together, the one of the lowest rank becomes
// one, the leftmost of equals first, until there is none.
type merger struct {
	parts []part
	queue []pair // a heap, the next pair to merge first
}

// part begins at its index, in bytes.
type part struct {
	next, before int32
	rank         uint32 // of this part and the next as one; none where they are no token
}

// pair is a part and its next at the time of rank.
type pair struct {
	rank uint32
	at   int32
}

const none = math.MaxUint32

// count returns how many tokens a piece becomes.
func (m *merger) count(ranks map[string]uint32, piece string) int {
	size := int32(len(piece))
	m.parts, m.queue = m.parts[:0], m.queue[:0]
	for i := range size {
		m.parts = append(m.parts, part{next: i + 1, before: i - 1, rank: none})
	}
	look := func(at int32) {
		m.parts[at].rank = none
		next := m.parts[at].next
		if next >= size {
			return
		}
		if rank, ok := ranks[piece[at:m.parts[next].next]]; ok {
			m.parts[at].rank = rank
			m.push(pair{rank, at})
		}
	}
	for i := range size {
		look(i)
	}
	left := int(size)
	for len(m.queue) > 0 {
		first := m.pop()
		if m.parts[first.at].rank != first.rank {
			continue // has become another since
		}
		gone := m.parts[first.at].next
		after := m.parts[gone].next
		m.parts[gone].rank = none
		m.parts[first.at].next = after
		if after < size {
			m.parts[after].before = first.at
		}
		left--
		look(first.at)
		if before := m.parts[first.at].before; before >= 0 {
			look(before)
		}
	}
	return left
}

func (p pair) less(q pair) bool { return p.rank < q.rank || p.rank == q.rank && p.at < q.at }

func (m *merger) push(p pair) {
	m.queue = append(m.queue, p)
	q := m.queue
	for i := len(q) - 1; i > 0; {
		above := (i - 1) / 2
		if !q[i].less(q[above]) {
			break
		}
		q[i], q[above] = q[above], q[i]
		i = above
	}
}

func (m *merger) pop() pair {
	q := m.queue
	first, last := q[0], len(q)-1
	q[0] = q[last]
	q = q[:last]
	for i := 0; ; {
		low := 2*i + 1
		if low >= len(q) {
			break
		}
		if low+1 < len(q) && q[low+1].less(q[low]) {
			low++
		}
		if !q[low].less(q[i]) {
			break
		}
		q[i], q[low] = q[low], q[i]
		i = low
	}
	m.queue = q
	return first
}
