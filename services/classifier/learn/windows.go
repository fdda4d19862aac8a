package learn

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// A head that looks for something harmful is right only if it finds it
// wherever it stands: one sentence in a long file. Such a head judges windows
// of some words and answers by the worst of them. It reads code, comments and
// quotations like prose, and the whole text.

// benignLabels are the labels that mean "nothing found". A head of two labels,
// one of them in this list, judges windows.
var benignLabels = []string{"benign", "harmless", "safe", "clean", "ham"}

// Bounds of windows.
const (
	windowWords = 24 // of heads that are trained now
	windowReach = 6  // words between the two of a pair of kinds

	leastWindow, mostWindow = 8, 200 // of any head
)

// MaxWindowText is how many bytes of a text are judged by windows; of a longer
// one the two ends.
const MaxWindowText = 1 << 18

// windowValue is the value of every feature of a window.
const windowValue = 0.12

// windowToken is one word of a text.
type windowToken struct {
	hash       uint64
	start, end int32 // in the text, behind the title and a line end
	kind       uint8
}

// windows is a text as windowed heads see it. Its slices are reused.
type windows struct {
	tokens []windowToken
	sums   []float32 // what each word adds
	// What each word closes, for windows of so many words: keys[ends[i-1]:ends[i]].
	keys   []uint32
	ends   []int32
	window int
	recent [1 << 10]struct {
		key uint32
		at  int32
	}
	ready bool
}

// read takes the text apart.
func (w *windows) read(d *Document) {
	w.tokens = w.tokens[:0]
	w.ready, w.window = true, 0
	w.part(d.Title, 0)
	at := len(d.Title) + 1
	if len(d.Text) <= MaxWindowText {
		w.part(d.Text, at)
		return
	}
	const half = MaxWindowText / 2
	w.part(d.Text[:half], at)
	w.part(d.Text[len(d.Text)-half:], at+len(d.Text)-half)
}

func (w *windows) part(t string, offset int) {
	for i := 0; i < len(t); {
		start := i
		h := uint64(hashSeed)
		n := 0 // letters
	word:
		for i < len(t) {
			c := t[i]
			switch class := byteClass[c]; {
			case class == classUpper:
				c |= 0x20
				fallthrough
			case class == classLetter && c != '_', class == classDigit:
				h = (h ^ uint64(c)) * hashPrime
				n++
				i++
			case c == '\'' && n > 0: // don't, you're
				i++
			case class == classWide:
				r, size := utf8.DecodeRuneInString(t[i:])
				switch {
				case invisible(r) || r == '’' && n > 0:
					i += size
				case r >= 0x2e80 && unicode.IsLetter(r):
					if n == 0 {
						h = (h ^ uint64(r)) * hashPrime
						n++
						i += size
					}
					break word
				case unicode.IsLetter(r) || unicode.IsDigit(r):
					h = (h ^ uint64(plainLetter(r))) * hashPrime
					n++
					i += size
				default:
					break word
				}
			default:
				break word
			}
			if n >= maxWord {
				break
			}
		}
		if n == 0 {
			if i == start {
				_, size := utf8.DecodeRuneInString(t[i:])
				i += max(size, 1)
			}
			continue
		}
		w.tokens = append(w.tokens, windowToken{h, int32(offset + start), int32(offset + i), riskKind(h)})
	}
}

// invisible says that a rune has no width and may hide in a word.
func invisible(r rune) bool {
	return r >= 0x200b && r <= 0x200f || r == 0x2060 || r == 0xfeff || r == 0xad || r >= 0xe0000 && r <= 0xe007f
}

// plainLetter folds capitals, full-width letters and the letters of other
// scripts that look like Latin ones.
func plainLetter(r rune) rune {
	r = unicode.ToLower(r)
	switch {
	case r >= 0xff41 && r <= 0xff5a:
		return r - 0xff41 + 'a'
	case r < 0x370 || r > 0x45f:
		return r
	}
	switch r {
	case 'а', 'α':
		return 'a'
	case 'е', 'ε':
		return 'e'
	case 'о', 'ο':
		return 'o'
	case 'р', 'ρ':
		return 'p'
	case 'с':
		return 'c'
	case 'х', 'χ':
		return 'x'
	case 'у':
		return 'y'
	case 'і', 'ι':
		return 'i'
	case 'ѕ':
		return 's'
	}
	return r
}

// The salts of windows' features.
const (
	saltWindowWord uint64 = (iota + 31) * 0x05_7c_c1_b7_27_22_0a_95
	saltWindowPair
	saltWindowTriple
	saltWindowKind
	saltWindowKinds
)

// each calls yield for the features that the word at i closes, those left out
// that were closed within the last window. from says where the feature begins.
func (w *windows) each(i, window int, yield func(key uint32, from int)) {
	t := w.tokens
	emit := func(key uint32, from int) {
		slot := &w.recent[key>>22]
		if slot.key == key && int(slot.at) > i-window && slot.at >= 0 {
			return
		}
		slot.key, slot.at = key, int32(i)
		yield(key, from)
	}
	emit(featureKey(t[i].hash, saltWindowWord), i)
	if i > 0 {
		h := mix(t[i-1].hash, t[i].hash)
		emit(featureKey(h, saltWindowPair), i-1)
		if i > 1 {
			emit(featureKey(mix(t[i-2].hash, h), saltWindowTriple), i-2)
		}
	}
	if t[i].kind == 0 {
		return
	}
	emit(featureKey(uint64(t[i].kind), saltWindowKind), i)
	for j := i - 1; j >= max(0, i-windowReach); j-- {
		if t[j].kind != 0 && t[j].kind != t[i].kind {
			emit(featureKey(uint64(t[j].kind)<<8|uint64(t[i].kind), saltWindowKinds), j)
		}
	}
}

// forget makes each start anew.
func (w *windows) forget() {
	for i := range w.recent {
		w.recent[i].at = -1
	}
}

// features makes keys and ends, unless they are there: heads of one window
// share them.
func (w *windows) features(window int) {
	if w.window == window {
		return
	}
	w.window = window
	w.keys, w.ends = w.keys[:0], w.ends[:0]
	w.forget()
	for i := range w.tokens {
		w.each(i, window, func(key uint32, _ int) { w.keys = append(w.keys, key) })
		w.ends = append(w.ends, int32(len(w.keys)))
	}
}

// worst returns where the window with the highest score ends, the number of
// its last word and one, and the score without bias.
func (w *windows) worst(m *Model) (end int, score float32) {
	window := m.meta.Features.Window
	w.features(window)
	w.sums = w.sums[:0]
	var sum float32
	best := float32(0)
	first := min(window, len(w.tokens)) - 1 // the last word of the first window
	from := int32(0)
	for i, to := range w.ends {
		var add int32
		for _, key := range w.keys[from:to] {
			if at := m.find(key); at >= 0 {
				add += int32(int8(m.dense[at*2+m.risk])) - int32(int8(m.dense[at*2+1-m.risk]))
			}
		}
		from = to
		v := float32(add)
		w.sums = append(w.sums, v)
		sum += v
		if i >= window {
			sum -= w.sums[i-window]
		}
		if end == 0 || sum > best && i >= first || i == first {
			best, end = sum, i+1
		}
	}
	return end, best * windowValue * m.scale[m.risk]
}

// riskScores are the scores of a windowed head.
func (m *Model) riskScores(s *scratch) []float32 {
	if !s.windows.ready {
		s.windows.read(&s.doc)
	}
	z := s.scores(2)
	_, score := s.windows.worst(m)
	z[m.risk] = score + m.bias[m.risk]
	z[1-m.risk] = m.bias[1-m.risk]
	return z
}

// riskEvidence is Evidence for a windowed head: the features of the worst
// window.
func (m *Model) riskEvidence(s *scratch, label string, target, limit int) []Evidence {
	w := &s.windows
	end, _ := w.worst(m)
	window := m.meta.Features.Window
	first := max(0, end-window)
	type found struct {
		from, to int
		weight   float32
	}
	var all []found
	w.forget()
	for i := first; i < end; i++ {
		w.each(i, window, func(key uint32, from int) {
			if at := m.find(key); at >= 0 && from >= first {
				v := float32(int32(int8(m.dense[at*2+target]))-int32(int8(m.dense[at*2+1-target]))) * windowValue * m.scale[m.risk]
				if v != 0 {
					all = append(all, found{from, i, v})
				}
			}
		})
	}
	slices.SortStableFunc(all, func(a, b found) int {
		return stronger(contribution{weight: a.weight, base: uint32(a.from)}, contribution{weight: b.weight, base: uint32(b.from)})
	})
	text := s.doc.Title + "\n" + s.doc.Text
	var out []Evidence
	for _, f := range all[:min(limit, len(all))] {
		out = append(out, Evidence{text[w.tokens[f.from].start:w.tokens[f.to].end], "window", label, round(float64(f.weight))})
	}
	return out
}

// riskKind is the kind of a word in riskLexicon, from 1, or 0.
func riskKind(h uint64) uint8 {
	for at := h * hashMul >> 53; ; at = (at + 1) & (1<<11 - 1) {
		e := &riskTable[at]
		if e.hash == h {
			return e.cue
		}
		if e.hash == 0 {
			return 0
		}
	}
}
