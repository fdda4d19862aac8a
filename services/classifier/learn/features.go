package learn

import (
	"fmt"
	"math/bits"
)

// features is what one text consists of: keys without repetition, by family.
// Its slices are reused; the zero value is ready.
type features struct {
	scan scan
	keys []uint32
	// bound[f] to bound[f+1] are the features of family f.
	bound  [familyCount + 1]int
	group  uint64  // groupHash, 0 for none
	demand float64 // where FamilyMeasure is made
	// pieces, where not zero, is how many pieces of words are enough.
	pieces int

	slots []uint64 // key<<32 | stamp<<16
	mask  uint32
	stamp uint16

	// names holds, while a text is explained, what each key stands for. With
	// wanted, only keys that are in it get a name.
	names  map[uint32]string
	wanted bool
}

// maxFeatures bounds the features of one text.
const maxFeatures = 1<<15 - 1

// run passes over d once and makes the families in want.
func (f *features) run(d *Document, want FamilySet) {
	f.scan.run(d)
	f.keys = f.keys[:0]
	f.group, f.demand = 0, 0
	if d.Group != "" {
		f.group = groupHash(d.Group)
	}
	f.clear(len(f.scan.tokens)*6 + 256 + want.pieces(len(f.scan.norm)))
	for fam := range familyCount {
		f.bound[fam] = len(f.keys)
		if !want.Has(fam) {
			continue
		}
		switch fam {
		case FamilyWord:
			f.words()
		case FamilyBigram:
			f.bigrams()
		case FamilyZone:
			f.zones()
		case FamilyLine:
			f.lines()
		case FamilyCue:
			f.cues()
			f.shape()
		case FamilyCode:
			f.code()
			f.punctuation(d)
		case FamilySkip:
			f.skips()
		case FamilyChar:
			f.chars()
		case FamilyMeasure:
			f.measures(d)
		}
	}
	f.bound[familyCount] = len(f.keys)
}

func (s FamilySet) pieces(n int) int {
	if s.Has(FamilyChar) {
		return n * 2
	}
	return 0
}

// clear makes the table of known keys empty and large enough for n.
func (f *features) clear(n int) {
	size := 1 << bits.Len(uint(max(n, 512)))
	size = min(size, 1<<16)
	f.stamp++
	if len(f.slots) < size || f.stamp == 0 {
		f.slots = make([]uint64, max(size, len(f.slots)))
		f.stamp = 1
	}
	f.mask = uint32(size - 1)
}

// add appends one feature unless it is there.
func (f *features) add(key uint32) {
	tag := uint64(key)<<16 | uint64(f.stamp)
	for at := key & f.mask; ; at = (at + 1) & f.mask {
		e := f.slots[at]
		if e>>16 == tag {
			return
		}
		if uint16(e>>16) != f.stamp {
			if len(f.keys) >= maxFeatures || len(f.keys) >= int(f.mask) {
				return
			}
			f.slots[at] = tag << 16
			f.keys = append(f.keys, key)
			return
		}
	}
}

// naming says that key still needs a name.
func (f *features) naming(key uint32) bool {
	if f.names == nil {
		return false
	}
	name, ok := f.names[key]
	return ok == f.wanted && name == ""
}

// name keeps what a key stands for while a text is explained.
func (f *features) name(key uint32, format string, args ...any) {
	f.names[key] = fmt.Sprintf(format, args...)
}

// span is the text from token i to token j.
func (f *features) span(i, j int) string {
	return string(f.scan.norm[f.scan.tokens[i].start:f.scan.tokens[j].end])
}

func (f *features) words() {
	for i := range f.scan.tokens {
		t := &f.scan.tokens[i]
		if t.zone >= zoneCode {
			continue
		}
		k := featureKey(t.hash, saltWord)
		f.add(k)
		if f.naming(k) {
			f.name(k, "%s", f.span(i, i))
		}
	}
}

// near says that two neighbours stand in one passage.
func near(a, b *token) bool {
	return b.line-a.line <= 1 && (a.zone == zoneTitle) == (b.zone == zoneTitle) && a.zone < zoneCode && b.zone < zoneCode
}

func (f *features) bigrams() {
	ts := f.scan.tokens
	for i := 1; i < len(ts); i++ {
		if !near(&ts[i-1], &ts[i]) {
			continue
		}
		k := featureKey(mix(ts[i-1].hash, ts[i].hash), saltBigram)
		f.add(k)
		if f.naming(k) {
			f.name(k, "%s", f.span(i-1, i))
		}
	}
}

func (f *features) skips() {
	ts := f.scan.tokens
	for i := 2; i < len(ts); i++ {
		if !near(&ts[i-2], &ts[i-1]) || !near(&ts[i-1], &ts[i]) {
			continue
		}
		k := featureKey(mix(ts[i-2].hash, ts[i].hash), saltSkip)
		f.add(k)
		k3 := featureKey(mix(mix(ts[i-2].hash, ts[i-1].hash), ts[i].hash), saltTrigram)
		f.add(k3)
		if f.naming(k) {
			f.name(k, "%s … %s", f.span(i-2, i-2), f.span(i, i))
			f.name(k3, "%s", f.span(i-2, i))
		}
	}
}

func (f *features) zones() {
	ts := f.scan.tokens
	for i := range ts {
		switch ts[i].zone {
		case zoneTitle:
			k := featureKey(ts[i].hash, saltTitle)
			f.add(k)
			if f.naming(k) {
				f.name(k, "title: %s", f.span(i, i))
			}
			if i > 0 && ts[i-1].zone == zoneTitle {
				k := featureKey(mix(ts[i-1].hash, ts[i].hash), saltTitleBigram)
				f.add(k)
				if f.naming(k) {
					f.name(k, "title: %s", f.span(i-1, i))
				}
			}
		case zoneHead:
			k := featureKey(ts[i].hash, saltHead)
			f.add(k)
			if f.naming(k) {
				f.name(k, "head: %s", f.span(i, i))
			}
		case zoneBody:
			return
		}
	}
}

// lines makes whole short lines, and a line with the one before it.
func (f *features) lines() {
	ts := f.scan.tokens
	if len(ts) == 0 || ts[len(ts)-1].line-ts[0].line < 2 {
		return
	}
	var before uint64
	beforeAt := -1
	for i := 0; i < len(ts); {
		j := i
		h := uint64(hashSeed)
		for j < len(ts) && ts[j].line == ts[i].line && ts[j].zone != zoneTitle && ts[j].zone != zoneCode {
			h = mix(h, ts[j].hash)
			j++
		}
		if j == i {
			i++
			continue
		}
		if j-i > maxLineWord {
			before, beforeAt = 0, -1
			i = j
			continue
		}
		k := featureKey(h, saltLine)
		f.add(k)
		if f.naming(k) {
			f.name(k, "line: %s", f.span(i, j-1))
		}
		if beforeAt >= 0 {
			k := featureKey(mix(before, h), saltLinePair)
			f.add(k)
			if f.naming(k) {
				f.name(k, "lines: %s / %s", f.span(beforeAt, i-1), f.span(i, j-1))
			}
		}
		before, beforeAt = h, i
		i = j
	}
}

func (f *features) code() {
	for i := range f.scan.tokens {
		t := &f.scan.tokens[i]
		if t.zone != zoneCode {
			continue
		}
		k := featureKey(t.hash, saltCode)
		f.add(k)
		if f.naming(k) {
			f.name(k, "code: %s", f.span(i, i))
		}
	}
}

// punctuation makes pairs of punctuation marks, a line end being one: they tell
// languages of code apart.
func (f *features) punctuation(d *Document) {
	t := cut(d.Text, maxBody)
	for i := 1; i < len(t); i++ {
		a, b := t[i-1], t[i]
		if byteClass[a] != classOther || byteClass[b] != classOther && b != '\n' {
			continue
		}
		k := featureKey(uint64(a)<<8|uint64(b), saltCode)
		f.add(k)
		if f.naming(k) {
			f.name(k, "code: %q", t[i-1:i+1])
		}
	}
}

// chars makes pieces of 3, 4 and 5 bytes of every word with the space before
// it, reaching into the word after it.
func (f *features) chars() {
	norm := f.scan.norm
	from := len(f.keys)
	for i := range f.scan.tokens {
		if f.pieces > 0 && len(f.keys)-from >= f.pieces {
			return
		}
		t := &f.scan.tokens[i]
		if !t.plain || t.zone >= zoneCode {
			continue
		}
		s, e := int(t.start)-1, min(int(t.end)+5, len(norm))
		for at := s; at+3 <= e; at++ {
			h := uint64(norm[at]) | uint64(norm[at+1])<<8 | uint64(norm[at+2])<<16
			f.piece(h|3<<56, at, 3)
			if at+4 > e {
				break
			}
			h |= uint64(norm[at+3]) << 24
			f.piece(h|4<<56, at, 4)
			if at+5 > e {
				break
			}
			h |= uint64(norm[at+4]) << 32
			f.piece(h|5<<56, at, 5)
		}
	}
}

func (f *features) piece(h uint64, at, n int) {
	k := featureKey(h, saltChar)
	f.add(k)
	if f.naming(k) {
		f.name(k, "piece: %q", f.scan.norm[at:at+n])
	}
}
