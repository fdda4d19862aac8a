package classifier

import (
	"hash/fnv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// The heads that the room knows by name; see the contract's HeadLabel.
const (
	headTaskType    = "task_type"
	headComplexity  = "complexity"
	headRoute       = "route"
	headTools       = "tools"
	headVision      = "vision"
	headLongContext = "long_context"
	headReasoning   = "reasoning"
	headInjection   = "injection"
	headJailbreak   = "jailbreak"
)

// positive is the label of heads that answer a question.
const positive = "yes"

// builtInPrefix begins the ids of versions that are part of the program.
const builtInPrefix = "built-in:"

// lineup is what answers for each head. It is immutable: a call keeps the one
// that it took.
type lineup struct {
	set      *learn.Set
	heads    []string          // of set, in its order
	versions map[string]string // id of the active version, by head
	canaries map[string]*canary
	// guards holds the guard heads of set alone.
	guards *learn.Set
	// known is nil where a guard head has a canary: then it depends on the key what is
	// said of a text.
	known *known
}

// canary is a version that answers for some keys.
type canary struct {
	model   *learn.Model
	version string
	percent int
	since   time.Time

	assigned, agreed           atomic.Int64
	activeMicros, canaryMicros atomic.Int64 // sums of confidences, in millionths
}

// emptyLineup answers for nothing.
var emptyLineup = &lineup{set: &learn.Set{}, guards: &learn.Set{}}

// newLineup makes a lineup of a set whose versions are named.
func newLineup(set *learn.Set, versions map[string]string, canaries map[string]*canary) *lineup {
	l := &lineup{set: set, heads: set.Heads(), versions: versions, canaries: canaries}
	l.known = newKnown()
	var others []string
	for _, head := range l.heads {
		switch {
		case !isGuard(head):
			others = append(others, head)
		case canaries[head] != nil:
			l.known = nil
		}
	}
	l.guards = set.Without(others...)
	return l
}

func isGuard(head string) bool { return head == headInjection || head == headJailbreak }

// builtInLineup is the lineup of the program's own models.
func builtInLineup(set *learn.Set) *lineup {
	versions := map[string]string{}
	for _, head := range set.Heads() {
		versions[head] = builtInPrefix + head
	}
	return newLineup(set, versions, nil)
}

// takes says whether the canary answers for a key. The same key always gets
// the same answer, and a higher percentage only adds keys.
func (c *canary) takes(head, key string) bool {
	h := fnv.New64a()
	_, _ = h.Write([]byte(head))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(key))
	return int(mixed(h.Sum64())%100) < c.percent
}

// mixed spreads a hash whose low bits are poor.
func mixed(h uint64) uint64 {
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

// opinion is what one head says, and by which version.
type opinion struct {
	learn.Prediction
	model   *learn.Model
	version string
}

// ask judges a text by every head of set, canaries included.
func (l *lineup) ask(set *learn.Set, doc learn.Document, key string, into []opinion) []opinion {
	var room [16]learn.Prediction
	if key == "" {
		key = doc.Text
	}
	for _, p := range set.Classify(doc, room[:0]) {
		o := opinion{Prediction: p, version: l.versions[p.Head]}
		if c := l.canaries[p.Head]; c != nil && c.takes(p.Head, key) {
			o = opinion{Prediction: c.model.Classify(doc), model: c.model, version: c.version}
			c.compare(p, o.Prediction)
		} else {
			o.model = set.Model(p.Head)
		}
		into = append(into, o)
	}
	return into
}

// compare counts what both versions said of a text.
func (c *canary) compare(active, own learn.Prediction) {
	c.assigned.Add(1)
	if active.Label == own.Label {
		c.agreed.Add(1)
	}
	c.activeMicros.Add(int64(active.Confidence * 1e6))
	c.canaryMicros.Add(int64(own.Confidence * 1e6))
}

// heads is the lineup that answers now. It is safe for concurrent use.
type heads struct {
	now     atomic.Pointer[lineup]
	builtIn func() (*learn.Set, error) // called once
}

func newHeads(builtIn func() (*learn.Set, error)) *heads {
	return &heads{builtIn: sync.OnceValues(builtIn)}
}

// lineup returns what answers now; the program's own models before anything
// else was put in place.
func (h *heads) lineup() (*lineup, error) {
	if l := h.now.Load(); l != nil {
		return l, nil
	}
	set, err := h.builtIn()
	if err != nil {
		return emptyLineup, err
	}
	h.now.CompareAndSwap(nil, builtInLineup(set))
	return h.now.Load(), nil
}

// loaded returns what answers now, or nil where nothing was needed yet.
func (h *heads) loaded() *lineup { return h.now.Load() }

// put makes l answer from now on. Calls that took another lineup keep it.
func (h *heads) put(l *lineup) { h.now.Store(l) }
