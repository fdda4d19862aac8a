package learn

import (
	"encoding/binary"
	"math"
	"math/bits"
	"sync"
	"unicode/utf8"
)

// Model is one trained head. It is immutable and safe for concurrent use.
// Make one with [Load] or [Train].
type Model struct {
	meta Metadata
	raw  []byte

	scaling scaling
	groups  map[uint64]bool
	k       int
	bias    []float32
	scale   []float32 // per output: what one step of a weight is worth

	// Keys in ascending order: the first bits choose a bucket, the next 16
	// are stored.
	shift uint
	index []byte // uint32 per bucket and one more: where it begins
	rest  []byte // uint16 per key
	// Dense weights, int8 per key and output; or sparse rows.
	dense   []byte
	rows    []byte // uint32 per key and one more: where its entries begin
	entries []byte // uint8 or, when wide, uint16 for the output, and int8
	wide    bool

	windowed bool
	risk     int // output for harmful texts, of a windowed head
	sieve    sieve

	scope int // index of the out-of-scope label, -1 for none
}

// Prediction is what one head says about one text.
type Prediction struct {
	// Head is the name of the head.
	Head string `json:"head"`
	// Label is the most probable label; empty for a routing head.
	Label string `json:"label,omitempty"`
	// Confidence is the calibrated probability of Label, 0 to 1. For a routing
	// head it is the probability that the weak model answers right.
	Confidence float64 `json:"confidence"`
	// Accepted says that Confidence reaches the threshold that training found
	// for its target accuracy.
	Accepted bool `json:"accepted"`
	// OutOfScope is the score, 0 to 1, that the text belongs to none of the
	// labels; Rejected says that it reaches the threshold that training found.
	// Without a label for such texts it is 1 − Confidence, and Rejected is
	// false.
	OutOfScope float64 `json:"out_of_scope"`
	Rejected   bool    `json:"rejected"`
	// Need is how much the text needs the strong model, for a routing head:
	// the higher, the more. It orders texts; its scale is the head's own.
	Need float64 `json:"need,omitempty"`
	// Weak and Strong are the probabilities that the weak and the strong model
	// answer right, for a routing head.
	Weak   float64 `json:"weak,omitempty"`
	Strong float64 `json:"strong,omitempty"`
	// KnownGroup says that features of the text's own group were used.
	KnownGroup bool `json:"known_group"`

	window [2]int32 // of a windowed head: where the worst window begins and ends, as tokens do
}

// Metadata returns what the model says about itself. The slices in it are
// shared: do not change them.
func (m *Model) Metadata() Metadata { return m.meta }

// NeedIsGap says that the needs of a routing head are expected gaps: how much
// better the strong model does, -1 to 1. Those of older models order texts and
// no more.
func (m *Model) NeedIsGap() bool {
	n := m.meta.Calibration.Need
	return n != nil && n.Options.Scale > 0 && n.Open.Scale > 0
}

// Bytes returns the model's file. Do not change it.
func (m *Model) Bytes() []byte { return m.raw }

// scratch is what one call needs.
type scratch struct {
	features features
	view     features // of a view, for texts of unknown groups
	seen     Document // what the view shows
	windows  windows
	held     []uint16 // per feature: the models that may hold it; empty where nobody asked
	bit      uint16   // of the model that judges
	z        []float32
	steps    [MaxLabels]int32 // all zero between uses
	doc      Document
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (s *scratch) scores(k int) []float32 {
	if cap(s.z) < k {
		s.z = make([]float32, k)
	}
	return s.z[:k]
}

// begin takes a text up.
func (s *scratch) begin(d Document, families FamilySet, pieces int) {
	s.features.pieces = pieces
	s.doc = d
	s.windows.ready = false
	s.held = s.held[:0]
	if families != 0 {
		s.features.run(&s.doc, families)
	}
}

// Classify judges one text.
func (m *Model) Classify(d Document) Prediction {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.begin(d, m.scaling.families, m.scaling.pieces)
	p := m.judge(s)
	s.doc = Document{}
	return p
}

// Probabilities appends the calibrated probability of every label to dst, in
// the order of Metadata().Labels. For a routing head these are P(weak right)
// and P(strong right).
func (m *Model) Probabilities(d Document, dst []float64) []float64 {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.begin(d, m.scaling.families, m.scaling.pieces)
	defer func() { s.doc = Document{} }() // before Put: the pool keeps no texts
	z, known := m.scores(s)
	if m.meta.Kind == KindRouting {
		for o := range z[:probabilityOutputs] {
			dst = append(dst, m.probability(z, o))
		}
		return dst
	}
	softmax(z, float32(m.temperature(known)))
	for _, p := range z {
		dst = append(dst, float64(p))
	}
	return dst
}

func (m *Model) temperature(known bool) float64 {
	if !known && m.scaling.grouped {
		return m.meta.Calibration.Alone
	}
	return m.meta.Calibration.Temperature
}

// judge turns the features in s into a prediction.
func (m *Model) judge(s *scratch) Prediction {
	z, known := m.scores(s)
	c := &m.meta.Calibration
	p := Prediction{Head: m.meta.Head, KnownGroup: known}
	if m.meta.Kind == KindRouting {
		p.Weak, p.Strong = m.probability(z, outputWeak), m.probability(z, outputStrong)
		p.Need = c.Need.of(&s.doc).need(z, &s.doc, s.features.demand)
		p.Confidence = p.Weak
		p.Accepted = p.Confidence >= c.Accept
		return p
	}
	if m.windowed {
		p.window = s.windows.worstSpan(m)
	}
	t := m.temperature(known)
	best := 0
	for o, v := range z {
		if v > z[best] {
			best = o
		}
	}
	var sum float64
	for _, v := range z {
		sum += math.Exp(float64(v-z[best]) / t)
	}
	p.Label = m.meta.Labels[best]
	p.Confidence = 1 / sum
	p.Accepted = p.Confidence >= c.Accept
	p.OutOfScope = 1 - p.Confidence
	if m.scope >= 0 && len(c.Scope) == 2 {
		p.OutOfScope = scopeScore(scopeLead(z, t, m.scope), c.Scope)
		p.Rejected = p.OutOfScope >= c.Reject
	}
	return p
}

// probability is the calibrated probability of one output of a routing head.
func (m *Model) probability(z []float32, o int) float64 {
	c := &m.meta.Calibration
	return 1 / (1 + math.Exp(-(c.Slopes[o]*float64(z[o]) + c.Offsets[o])))
}

func logLength(d *Document) float64 {
	return math.Log(float64(1 + utf8.RuneCountInString(d.Title) + utf8.RuneCountInString(d.Text)))
}

// scores sums up the weights. It says too whether the text's group has
// features of its own.
func (m *Model) scores(s *scratch) ([]float32, bool) {
	if m.windowed {
		return m.riskScores(s), false
	}
	if m.strange(s) {
		return m.strangeScores(s), false
	}
	f := &s.features
	z := s.scores(m.k)
	clear(z)
	norm := m.scaling.norm(f)
	known := m.scaling.grouped && f.group != 0 && m.groups[f.group]
	for fam := range familyCount {
		if !m.scaling.families.Has(fam) {
			continue
		}
		// All features of a family have one value: steps are added as whole
		// numbers and scaled once.
		from, to := m.scaling.span(f, fam)
		keys := f.keys[from:to]
		if len(s.held) > 0 {
			for i, held := range s.held[from:to] {
				if held&s.bit == 0 {
					continue
				}
				if at := m.find(keys[i]); at >= 0 {
					m.addRow(&s.steps, at)
				}
			}
		} else {
			for _, key := range keys {
				if at := m.find(key); at >= 0 {
					m.addRow(&s.steps, at)
				}
			}
		}
		if known && groupFamilies.Has(fam) {
			for _, key := range keys {
				if at := m.find(groupKey(key, f.group)); at >= 0 {
					m.addRow(&s.steps, at)
				}
			}
		}
		m.settle(z, &s.steps, norm*m.scaling.weight[fam])
	}
	if known {
		if at := m.find(groupKey(0, f.group)); at >= 0 {
			m.addRow(&s.steps, at)
			m.settle(z, &s.steps, groupBias)
		}
	}
	for o := range z {
		z[o] = z[o]*m.scale[o] + m.bias[o]
	}
	return z, known
}

// settle adds v times the steps to z and clears them.
func (m *Model) settle(z []float32, steps *[MaxLabels]int32, v float32) {
	for o := range z {
		z[o] += v * float32(steps[o])
		steps[o] = 0
	}
}

// find returns the place of a key, or -1.
func (m *Model) find(key uint32) int {
	both := binary.LittleEndian.Uint64(m.index[int(key>>m.shift)*4:])
	from, to := int(uint32(both)), int(both>>32)
	want := uint16(key << (32 - m.shift) >> 16)
	if to-from > lanes || from*2+8 > len(m.rest) {
		return m.findAmong(from, to, want)
	}
	// Most buckets have few keys: they are compared at once, since where a loop over
	// them ends cannot be foreseen. Of the lanes that are zero the first is marked for sure.
	x := binary.LittleEndian.Uint64(m.rest[from*2:]) ^ uint64(want)*eachLane
	at := from + bits.TrailingZeros64((x-eachLane)&^x&(eachLane<<15))>>4
	if at < to {
		return at
	}
	return -1
}

// lanes are the keys that find compares at once; eachLane is one in each.
const (
	lanes    = 4
	eachLane = 0x0001_0001_0001_0001
)

// findAmong is find within the keys of a bucket.
func (m *Model) findAmong(from, to int, want uint16) int {
	for i := from; i < to; i++ {
		if r := binary.LittleEndian.Uint16(m.rest[i*2:]); r >= want {
			if r == want {
				return i
			}
			return -1
		}
	}
	return -1
}

// addRow adds the steps of the key at place i.
func (m *Model) addRow(steps *[MaxLabels]int32, i int) {
	if m.dense != nil {
		for o, b := range m.dense[i*m.k:][:m.k] {
			steps[o&(MaxLabels-1)] += int32(int8(b))
		}
		return
	}
	both := binary.LittleEndian.Uint64(m.rows[i*4:])
	from, to := int(uint32(both)), int(both>>32)
	if m.wide {
		for e := from; e < to; e++ {
			p := m.entries[e*3 : e*3+3]
			steps[(int(p[0])|int(p[1])<<8)&(MaxLabels-1)] += int32(int8(p[2]))
		}
		return
	}
	for pairs := m.entries[from*2 : to*2]; len(pairs) >= 2; pairs = pairs[2:] {
		steps[pairs[0]] += int32(int8(pairs[1]))
	}
}
