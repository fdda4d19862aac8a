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
	// What each word closes, for windows of so many words: keys[ends[i-1]:ends[i]].
	// keys has room behind the last; from is of each key the word that it begins with.
	keys   []uint32
	from   []int32
	ends   []int32
	window int
	recent [1 << 10]struct {
		key uint32
		at  int32
	}
	sums   []int32 // steps that each word adds
	sifted [siftWords * mostClosed]struct{ key, word uint32 }
	ready  bool

	// What worst found, for this model.
	of    *Model
	end   int
	score float32
}

const (
	mostClosed = 4 + windowReach // features that a word closes at the most
	siftWords  = 128             // whose features are looked up together
)

// read takes the text apart.
func (w *windows) read(d *Document) {
	w.tokens = w.tokens[:0]
	w.ready, w.window, w.of = true, 0, nil
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

// plainByte is of each byte of a word what stands for it in the word's hash; 0 for
// bytes that end a word or begin a longer rune.
var plainByte = func() (t [256]byte) {
	for i, class := range byteClass {
		switch {
		case class == classUpper:
			t[i] = byte(i) | 0x20
		case class == classLetter && i != '_', class == classDigit:
			t[i] = byte(i)
		}
	}
	return t
}()

func (w *windows) part(t string, offset int) {
	for i := 0; i < len(t); {
		if c := t[i]; c < utf8.RuneSelf && plainByte[c] == 0 {
			i++
			continue
		}
		start := i
		h := uint64(hashSeed)
		n := 0 // letters
	word:
		for {
			for i < len(t) && n < maxWord {
				c := plainByte[t[i]]
				if c == 0 {
					break
				}
				h = (h ^ uint64(c)) * hashPrime
				n++
				i++
			}
			if i == len(t) || n >= maxWord {
				break
			}
			if t[i] < utf8.RuneSelf {
				if t[i] != '\'' || n == 0 { // don't, you're
					break
				}
				i++
				continue
			}
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
		}
		if n == 0 {
			if i == start {
				_, size := utf8.DecodeRuneInString(t[i:])
				i += size
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

// closed puts the features that the word at i closes behind the first n keys, those
// left out that were closed within the last window, and returns how many keys there
// are then.
func (w *windows) closed(n, i, window int) int {
	if least := n + mostClosed; least > len(w.keys) {
		w.keys = append(w.keys, make([]uint32, least)...)
		w.from = append(w.from, make([]int32, len(w.keys)-len(w.from))...)
	}
	keys, from := w.keys[n:n+mostClosed], w.from[n:n+mostClosed]
	count := 0
	put := func(key uint32, begin int) {
		slot := &w.recent[key>>22]
		if slot.key == key && int(slot.at) > i-window && slot.at >= 0 {
			return
		}
		slot.key, slot.at = key, int32(i)
		keys[count], from[count] = key, int32(begin)
		count++
	}
	t := w.tokens[:i+1]
	last := t[i]
	put(featureKey(last.hash, saltWindowWord), i)
	if i > 0 {
		h := mix(t[i-1].hash, last.hash)
		put(featureKey(h, saltWindowPair), i-1)
		if i > 1 {
			put(featureKey(mix(t[i-2].hash, h), saltWindowTriple), i-2)
		}
	}
	if last.kind == 0 {
		return n + count
	}
	put(featureKey(uint64(last.kind), saltWindowKind), i)
	for j := i - 1; j >= max(0, i-windowReach); j-- {
		if t[j].kind != 0 && t[j].kind != last.kind {
			put(featureKey(uint64(t[j].kind)<<8|uint64(last.kind), saltWindowKinds), j)
		}
	}
	return n + count
}

// forget lets closed leave nothing out that was closed before.
func (w *windows) forget() {
	w.window = 0
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
	w.forget()
	w.window, w.ends = window, w.ends[:0]
	n := 0
	for i := range w.tokens {
		n = w.closed(n, i, window)
		w.ends = append(w.ends, int32(n))
	}
}

// worst returns where the window with the highest score ends, the number of
// its last word and one, and the score without bias.
func (w *windows) worst(m *Model) (end int, score float32) {
	if w.of == m {
		return w.end, w.score
	}
	window := m.meta.Features.Window
	w.features(window)
	w.weigh(m)
	sum, best := int32(0), int32(0)
	first := min(window, len(w.tokens)) - 1 // the last word of the first window
	for i, steps := range w.sums {
		sum += steps
		if i >= window {
			sum -= w.sums[i-window]
		}
		if end == 0 || sum > best && i >= first || i == first {
			best, end = sum, i+1
		}
	}
	w.of, w.end, w.score = m, end, float32(best)*windowValue*m.scale[m.risk]
	return w.end, w.score
}

// worstSpan is where the worst window begins and ends in the text; zero where it has no
// words.
func (w *windows) worstSpan(m *Model) (span [2]int32) {
	end, _ := w.worst(m)
	if end == 0 {
		return span
	}
	return [2]int32{w.tokens[max(0, end-m.meta.Features.Window)].start, w.tokens[end-1].end}
}

// weigh makes the sums. It goes through the sieve first, without asking of each key what
// to do: which keys a model has cannot be foreseen, and a branch that is foreseen wrongly
// costs more than what it spares.
func (w *windows) weigh(m *Model) {
	w.sums = append(w.sums[:0], make([]int32, len(w.ends))...)
	at := int32(0)
	for begin := 0; begin < len(w.ends); begin += siftWords {
		n := 0
		for i, to := range w.ends[begin:min(begin+siftWords, len(w.ends))] {
			for _, key := range w.keys[at:to] {
				w.sifted[n].key, w.sifted[n].word = key, uint32(begin+i)
				n += m.sieve.has(key)
			}
			at = to
		}
		for _, s := range w.sifted[:n] {
			if place := m.find(s.key); place >= 0 {
				w.sums[s.word] += int32(int8(m.dense[place*2+m.risk])) - int32(int8(m.dense[place*2+1-m.risk]))
			}
		}
	}
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

// riskEvidence are the strongest features of the worst window of what was read.
func (m *Model) riskEvidence(s *scratch, target, limit int) []Evidence {
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
		n := w.closed(0, i, window)
		for k, key := range w.keys[:n] {
			if at, from := m.find(key), int(w.from[k]); at >= 0 && from >= first {
				v := float32(int32(int8(m.dense[at*2+target]))-int32(int8(m.dense[at*2+1-target]))) * windowValue * m.scale[m.risk]
				if v != 0 {
					all = append(all, found{from, i, v})
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b found) int {
		return stronger(contribution{weight: a.weight, base: uint32(a.from)}, contribution{weight: b.weight, base: uint32(b.from)})
	})
	var out []Evidence
	for _, f := range all[:min(limit, len(all))] {
		words := s.doc.Text[w.tokens[f.from].start-1 : w.tokens[f.to].end-1] // behind no title
		out = append(out, Evidence{words, "window", m.meta.Labels[target], round(float64(f.weight))})
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
