package learn

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// The file of a set: magic "GMLS", version (uint16), number of models
// (uint16), then for every model its length (uint32) and its file.
const (
	setMagic   = "GMLS"
	setVersion = 1
	maxHeads   = 64
)

// Set is several heads that are asked together. It is immutable and safe for
// concurrent use.
type Set struct {
	models   []*Model
	families FamilySet
	pieces   int // of words that are enough for every model, 0 for all
	holders  holders
}

// NewSet makes a set of models with different heads.
func NewSet(models ...*Model) (*Set, error) {
	if len(models) > maxHeads {
		return nil, fmt.Errorf("%d heads; the limit is %d", len(models), maxHeads)
	}
	s := &Set{models: slices.Clone(models)}
	all := false
	for i, m := range models {
		s.families |= m.scaling.families
		if m.scaling.families.Has(FamilyChar) {
			all = all || m.scaling.pieces == 0
			s.pieces = max(s.pieces, m.scaling.pieces)
		}
		for _, other := range models[:i] {
			if other.meta.Head == m.meta.Head {
				return nil, fmt.Errorf("two models have the head %q", m.meta.Head)
			}
		}
	}
	if all {
		s.pieces = 0
	}
	s.holders = newHolders(s.models)
	return s, nil
}

// LoadSet makes a set of its file, or of the file of one model. Errors wrap
// ErrCorrupt or ErrVersion.
func LoadSet(data []byte) (*Set, error) {
	if len(data) >= 4 && string(data[:4]) == magic {
		m, err := Load(data)
		if err != nil {
			return nil, err
		}
		return NewSet(m)
	}
	le := binary.LittleEndian
	if len(data) < 8 || string(data[:4]) != setMagic {
		return nil, fmt.Errorf("%w: it begins with neither %q nor %q", ErrCorrupt, magic, setMagic)
	}
	if v := le.Uint16(data[4:]); v != setVersion {
		return nil, fmt.Errorf("%w: set format %d, this engine reads %d", ErrVersion, v, setVersion)
	}
	n := int(le.Uint16(data[6:]))
	if n > maxHeads {
		return nil, fmt.Errorf("%w: %d heads; the limit is %d", ErrCorrupt, n, maxHeads)
	}
	rest := data[8:]
	var models []*Model
	for i := range n {
		if len(rest) < 4 || uint64(le.Uint32(rest)) > uint64(len(rest)-4) {
			return nil, fmt.Errorf("%w: model %d of %d is cut off", ErrCorrupt, i+1, n)
		}
		size := int(le.Uint32(rest))
		m, err := Load(rest[4 : 4+size : 4+size])
		if err != nil {
			return nil, fmt.Errorf("model %d of %d: %w", i+1, n, err)
		}
		models = append(models, m)
		rest = rest[4+size:]
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", ErrCorrupt, len(rest))
	}
	s, err := NewSet(models...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return s, nil
}

// With returns a set in which m stands in place of the model of its head, or
// behind the others where there is none.
func (s *Set) With(m *Model) (*Set, error) {
	models := slices.Clone(s.models)
	at := slices.IndexFunc(models, func(o *Model) bool { return o.meta.Head == m.meta.Head })
	if at < 0 {
		models = append(models, m)
	} else {
		models[at] = m
	}
	return NewSet(models...)
}

// Without returns a set without the heads that are named.
func (s *Set) Without(heads ...string) *Set {
	kept := slices.DeleteFunc(slices.Clone(s.models), func(m *Model) bool { return slices.Contains(heads, m.meta.Head) })
	out, _ := NewSet(kept...) // some of the models of a valid set are one
	return out
}

// Heads returns the names of the heads in their order.
func (s *Set) Heads() []string {
	names := make([]string, len(s.models))
	for i, m := range s.models {
		names[i] = m.meta.Head
	}
	return names
}

// Bytes lays the set out as a file.
func (s *Set) Bytes() []byte {
	out := []byte(setMagic)
	out = binary.LittleEndian.AppendUint16(out, setVersion)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(s.models)))
	for _, m := range s.models {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(m.raw)))
		out = append(out, m.raw...)
	}
	return out
}

// Models returns the models in their order.
func (s *Set) Models() []*Model { return slices.Clone(s.models) }

// Model returns the model of a head, or nil.
func (s *Set) Model(head string) *Model {
	for _, m := range s.models {
		if m.meta.Head == head {
			return m
		}
	}
	return nil
}

// Classify judges one text by every head, passing over it once, and appends
// the predictions to dst in the order of the models. With room in dst it does
// not allocate.
func (s *Set) Classify(d Document, dst []Prediction) []Prediction {
	sc := scratches.Get().(*scratch)
	sc.begin(d, s.families, s.pieces)
	s.holders.mark(sc)
	for i, m := range s.models {
		sc.bit = 1 << (i & (maxHolders - 1))
		dst = append(dst, m.judge(sc))
	}
	sc.doc = Document{}
	scratches.Put(sc)
	return dst
}
