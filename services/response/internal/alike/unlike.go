package alike

import "bytes"

// Lead is the length of the events that data begins with and that differ in the text
// alone from those that the chunks have, and how many they are: 0 where no chunk came
// yet.
func (t *Texts) Lead(data []byte) (size, count int) {
	for {
		event := t.fits(data[size:])
		if event == 0 {
			return size, count
		}
		size, count = size+event, count+1
	}
}

// Unlike is the length of the first event of data and of those behind it before one that
// differs in the text alone from those that the shape was learnt of, and how many of them
// have data: 0 where there is no such one.
func (t *Texts) Unlike(data []byte) (size, count int) {
	for size < len(data) {
		if size > 0 && t.fits(data[size:]) > 0 {
			return size, count
		}
		end := bytes.Index(data[size:], pieceEnd)
		if end < 0 {
			break
		}
		end += size + len(pieceEnd)
		if hasData(data[size:end]) {
			count++
		}
		size = end
	}
	return 0, 0
}

// hasData says that an event has a line of data.
func hasData(event []byte) bool {
	return bytes.HasPrefix(event, pieceBegin) || bytes.Contains(event, lineOfData)
}

// fits is the length of the event that data begins with, where it is of the shape; else 0.
func (t *Texts) fits(data []byte) int {
	before, after := t.shape[:t.split], t.shape[t.split:]
	if len(t.shape) == 0 || !bytes.HasPrefix(data, before) {
		return 0
	}
	rest := data[len(before):]
	end := stringEnd(rest)
	if end < 0 || !bytes.HasPrefix(rest[end:], after) || end > 0 && rest[0]&0xc0 == 0x80 { // the rest of a character
		return 0
	}
	return len(t.shape) + end
}
