package alike

// MaxHoles is how many holes a mould may have.
const MaxHoles = 12

// Kinds of holes.
const (
	Text   = HoleKind(iota) // the inside of the string that is wanted; there is one
	Passed                  // the inside of a string that is passed over
	Number                  // a number, whose value is kept
)

// HoleKind says what stands in a hole.
type HoleKind byte

// Hole is a part of an event that is another one in the next.
type Hole struct {
	Kind       HoleKind
	Start, End int // in the event
}

// Mould is an event of which all but the text and some more is known: a time that
// each event has, or a count that grows. The zero value knows none. Its memory is its own.
type Mould struct {
	// Known says that one is known.
	Known bool

	fixed   []byte // what stands between the holes
	holes   []fixedHole
	numbers [MaxHoles]int64
}

// fixedHole is a hole and where the part of fixed ends that stands before it.
type fixedHole struct {
	kind HoleKind
	end  int
}

// Learn keeps an event with its holes, which are in order and hold one text. The event
// is whole, with what ends it.
func (m *Mould) Learn(event []byte, holes []Hole) {
	m.Known = false
	if len(holes) == 0 || len(holes) > MaxHoles || len(event) > maxKept+holes[len(holes)-1].End {
		return
	}
	m.fixed, m.holes = m.fixed[:0], m.holes[:0]
	at := 0
	for _, hole := range holes {
		m.fixed = append(m.fixed, event[at:hole.Start]...)
		m.holes = append(m.holes, fixedHole{hole.Kind, len(m.fixed)})
		at = hole.End
	}
	m.fixed = append(m.fixed, event[at:]...)
	m.Known = len(m.fixed) <= maxKept
}

// Forget is the zero value with the same memory.
func (m *Mould) Forget() { *m = Mould{fixed: m.fixed[:0], holes: m.holes[:0]} }

// Number is the value of a hole of the last event that was alike, by the hole's position.
func (m *Mould) Number(hole int) int64 { return m.numbers[hole] }

// Next is as Event.Next.
func (m *Mould) Next(data []byte) (text []byte, ascii bool, size int) {
	var numbers [MaxHoles]int64
	at, from := 0, 0
	for i, hole := range m.holes {
		fixed := m.fixed[from:hole.end]
		if len(data)-at < len(fixed) || string(data[at:at+len(fixed)]) != string(fixed) {
			return nil, false, 0
		}
		at, from = at+len(fixed), hole.end
		start := at
		if hole.kind == Number {
			if numbers[i], at = number(data, at); at == start {
				return nil, false, 0
			}
			continue
		}
		kinds := byte(0)
		for ; at < len(data); at++ {
			kind := byteKinds[data[at]]
			if kind == stringByte {
				break
			}
			kinds |= kind
		}
		if hole.kind == Text {
			text, ascii = data[start:at], kinds == 0
		} else if kinds != 0 {
			return nil, false, 0
		}
	}
	fixed := m.fixed[from:]
	if len(data)-at < len(fixed) || string(data[at:at+len(fixed)]) != string(fixed) {
		return nil, false, 0
	}
	m.numbers = numbers
	return text, ascii, at + len(fixed)
}

// maxDigits is how many digits of a number are read here.
const maxDigits = 15

// number reads a whole number as JSON has it, and returns where it ends: where it begins
// when there is none.
func number(data []byte, start int) (n int64, end int) {
	for end = start; end < len(data) && data[end] >= '0' && data[end] <= '9'; end++ {
		n = 10*n + int64(data[end]-'0')
		if end-start >= maxDigits {
			return 0, start
		}
	}
	if end-start > 1 && data[start] == '0' {
		return 0, start
	}
	return n, end
}
