package jsonscan

import "slices"

// DefaultMaxDepth is the number of nested arrays and objects that is allowed where no other limit is set. The
// outermost object counts as one.
const DefaultMaxDepth = 512

// buckets is the number of key lengths told apart; longer keys share the last bucket.
const buckets = 32

// Keys is a set of wanted member names, prepared once and then read by any number of scans.
type Keys struct {
	// MaxDepth limits nesting; zero means DefaultMaxDepth. Set it before the first scan.
	MaxDepth int

	names    []string
	longest  int
	byLength [buckets][]int
}

// NewKeys prepares a set. The position of a name in names is the position of its member in a scan's result. A name
// given twice is found at its first position only.
func NewKeys(names ...string) *Keys {
	k := &Keys{names: slices.Clone(names)}
	for i, n := range k.names {
		if k.index([]byte(n)) >= 0 {
			continue
		}
		b := bucket(len(n))
		k.byLength[b] = append(k.byLength[b], i)
		k.longest = max(k.longest, len(n))
	}
	return k
}

// Len is the number of names, and the length of a scan's result.
func (k *Keys) Len() int { return len(k.names) }

// Name returns the name at position i.
func (k *Keys) Name(i int) string { return k.names[i] }

func (k *Keys) index(name []byte) int {
	for _, i := range k.byLength[bucket(len(name))] {
		if k.names[i] == string(name) {
			return i
		}
	}
	return -1
}

func (k *Keys) maxDepth() int {
	if k.MaxDepth > 0 {
		return k.MaxDepth
	}
	return DefaultMaxDepth
}

func bucket(length int) int { return min(length, buckets-1) }
