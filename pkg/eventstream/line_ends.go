package eventstream

import "bytes"

// lineEnds finds line ends in one text, from front to back. It remembers the next LF, so that a text of CR lines is not
// searched to its end for each of them.
type lineEnds struct {
	next int // offset of an LF with none between it and the last place asked for, or the length of the text
}

// find returns the offset of the first CR or LF at or behind from, or the length of the text.
func (l *lineEnds) find(b []byte, from int) int {
	if l.next <= from {
		l.next = len(b)
		if n := bytes.IndexByte(b[from:], '\n'); n >= 0 {
			l.next = from + n
		}
	}
	if n := bytes.IndexByte(b[from:l.next], '\r'); n >= 0 {
		return from + n
	}
	return l.next
}

// behind returns the offset behind the line end at i, where CR and LF together are one.
func behind(b []byte, i int) int {
	if i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n' {
		return i + 2
	}
	return min(i+1, len(b))
}
