package alike

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// A run of texts is two zeros and the length of its frames; the length of a shape, where
// it is split, and the shape; the sequence number of the first chunk, wire and form of all;
// the length of sizes, and these; and the texts, one behind the other. Each event is the
// shape with its text in the split. Of each chunk sizes hold twice the length of its only
// text, or twice the number of its events and one, and the length of each text.
//
// Where the shape is empty, the chunks are typed ones of deltas that add text and nothing
// else: the kind of delta stands in the place of the wire, the choice in that of the form, and
// the texts are no strings of JSON but what these say.

// Chunk is one of nothing but a sequence number and a provider's events as they came.
type Chunk struct {
	Sequence, Wire, Form, Count uint64
	Data                        []byte
}

const (
	maxShape   = 4 << 10
	maxLessons = 16 // how often a shape is looked for
	textsRoom  = 48 // takes what stands before a run's shape and sizes

	maxSequence = 1 << 62 // of a chunk

	// Room for texts: the first piece, and all others. They are not moved when there are more.
	firstTexts, moreTexts = 512, 1 << 10
)

// Texts packs chunks while they come, all events of which differ in one string of JSON
// alone. Its zero knows nothing and holds no chunk.
type Texts struct {
	shape, sizes, text []byte
	full               [][]byte // pieces of texts before text: those of a chunk lie in one
	texts              int      // the length of full
	split              int
	first, wire, form  uint64
	chunks, size       int
	typed              bool // the chunks are: wire is the kind of delta then, and form the choice

	last    []byte // the last event, while the shape is not known
	lessons int
}

// Len is how many chunks there are.
func (t *Texts) Len() int { return t.chunks }

// Size is the length of their frames.
func (t *Texts) Size() int { return t.size }

// Add adds a chunk; false where it is of another shape or does not follow. grow makes
// room for so many bytes more.
func (t *Texts) Add(c Chunk, grow func([]byte, int) []byte) bool {
	if len(t.shape) == 0 || c.Sequence > maxSequence || c.Count == 0 || len(c.Data) == 0 || c.Wire >= 0x80 || c.Form >= 0x80 ||
		t.chunks > 0 && (t.typed || c.Sequence != t.first+uint64(t.chunks) || c.Wire != t.wire || c.Form != t.form) {
		return false
	}
	before, after := t.shape[:t.split], t.shape[t.split:]
	whole := uint64(len(before)+len(after)) * c.Count
	if whole > uint64(len(c.Data)) {
		return false
	}
	if !bytes.HasPrefix(c.Data, before) {
		return false
	}
	sizes := grow(t.sizes, binary.MaxVarintLen64+int(c.Count)*varint(uint64(len(c.Data))<<1))
	t.sizes = sizes
	t.makeRoom(len(c.Data)-int(whole), grow)
	text := t.text
	if c.Count > 1 {
		sizes = binary.AppendUvarint(sizes, c.Count<<1|1)
	}
	rest := c.Data
	for i := range c.Count {
		if i > 0 && !bytes.HasPrefix(rest, before) {
			return false
		}
		rest = rest[len(before):]
		end := stringEnd(rest)
		if end < 0 || !bytes.HasPrefix(rest[end:], after) || end > 0 && rest[0]&0xc0 == 0x80 { // the rest of a character
			return false
		}
		if c.Count > 1 {
			sizes = binary.AppendUvarint(sizes, uint64(end))
		} else {
			sizes = binary.AppendUvarint(sizes, uint64(end)<<1)
		}
		text, rest = append(text, rest[:end]...), rest[end+len(after):]
	}
	if len(rest) > 0 {
		return false
	}
	if t.chunks == 0 {
		t.first, t.wire, t.form, t.typed = c.Sequence, c.Wire, c.Form, false
	}
	head, entry := frameSizes(c.Sequence, c.Wire, c.Form, c.Count, uint64(len(c.Data)))
	t.sizes, t.text, t.chunks, t.size = sizes, text, t.chunks+1, t.size+head+entry
	return true
}

// makeRoom makes text take so many bytes more.
func (t *Texts) makeRoom(size int, grow func([]byte, int) []byte) {
	switch {
	case cap(t.text)-len(t.text) >= size:
	case len(t.text) == 0 && len(t.full) == 0:
		t.text = grow(t.text, max(size, firstTexts))
	case len(t.text) == 0:
		t.text = grow(t.text, max(size, moreTexts))
	default:
		t.full, t.texts = append(t.full, t.text), t.texts+len(t.text)
		t.text = grow(nil, max(size, moreTexts))
	}
}

// stringEnd is where the string of JSON ends within which s begins; -1 for nowhere.
func stringEnd(s []byte) int {
	for at := 0; ; at++ {
		end := bytes.IndexByte(s[at:], '"')
		if end < 0 {
			return -1
		}
		at += end
		escapes := 0
		for escapes < at && s[at-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return at
		}
	}
}

// Learn looks for a shape that the newest events have, of which data are some. There must
// be no chunks.
func (t *Texts) Learn(data []byte, grow func([]byte, int) []byte) bool {
	if t.lessons >= maxLessons || !bytes.HasSuffix(data, pieceEnd) {
		return false
	}
	from := bytes.LastIndex(data[:len(data)-len(pieceEnd)], pieceEnd) + len(pieceEnd)
	if from < len(pieceEnd) {
		from = 0
	}
	before, event := t.last, data[from:]
	if from > 0 {
		at := bytes.LastIndex(data[:from-len(pieceEnd)], pieceEnd) + len(pieceEnd)
		if at < len(pieceEnd) {
			at = 0
		}
		before = data[at:from]
	}
	if bytes.Equal(before, event) {
		return false
	}
	t.lessons++
	if t.learn(before, event, grow) {
		t.last = t.last[:0]
		return true
	}
	if t.last = t.last[:0]; len(event) <= maxShape && t.lessons < maxLessons {
		t.last = append(grow(t.last, len(event)), event...)
	}
	return false
}

func (t *Texts) learn(before, event []byte, grow func([]byte, int) []byte) bool {
	same := commonPrefix(before, event)
	tail := commonSuffix(before[same:], event[same:])
	start := bytes.LastIndexByte(event[:same], '"') + 1
	if start < 2 || event[start-2] == '\\' {
		return false
	}
	end := start + stringEnd(event[start:])
	other := start + stringEnd(before[start:])
	if end < start || other < start || len(event)-end > tail || len(before)-other != len(event)-end || len(event)-(end-start) > maxShape {
		return false
	}
	t.shape = append(append(grow(t.shape[:0], len(event)), event[:start]...), event[end:]...)
	t.split = start
	return true
}

// PackedSize bounds what AppendTo appends.
func (t *Texts) PackedSize() int {
	return textsRoom + len(t.shape) + len(t.sizes) + t.TextsSize()
}

// AppendRun appends the chunks as a run that Parse reads, whose length is RunSize and
// whose end are the texts.
func (t *Texts) AppendRun(dst []byte) []byte {
	r := t.run()
	dst = binary.AppendUvarint(append(dst, 0, 0), uint64(t.size))
	dst = binary.AppendUvarint(dst, uint64(len(r.shape)))
	dst = append(binary.AppendUvarint(dst, uint64(r.split)), r.shape...)
	dst = append(binary.AppendUvarint(dst, t.first), byte(t.wire), byte(t.form))
	dst = append(binary.AppendUvarint(dst, uint64(len(t.sizes))), t.sizes...)
	return t.appendTexts(dst)
}

// RunSize is the length of what AppendRun appends.
func (t *Texts) RunSize() int {
	r := t.run()
	return 2 + varint(uint64(t.size)) + varint(uint64(len(r.shape))) + varint(uint64(r.split)) + len(r.shape) +
		varint(t.first) + 2 + varint(uint64(len(t.sizes))) + len(t.sizes) + t.TextsSize()
}

// TextsSize is the length of all texts.
func (t *Texts) TextsSize() int { return t.texts + len(t.text) }

// AppendTo is AppendRun, but that the chunks are let go of; the shape is known still.
// Memory that is no longer needed is handed to recycle.
func (t *Texts) AppendTo(dst []byte, recycle func([]byte)) []byte {
	dst = t.AppendRun(dst)
	for _, b := range t.full {
		recycle(b)
	}
	t.full, t.texts = nil, 0
	t.sizes, t.text, t.chunks, t.size = t.sizes[:0], t.text[:0], 0, 0
	return dst
}

func (t *Texts) appendTexts(dst []byte) []byte {
	for _, b := range t.full {
		dst = append(dst, b...)
	}
	return append(dst, t.text...)
}

// Release hands all memory to recycle. Nothing is known from then on.
func (t *Texts) Release(recycle func([]byte)) {
	for _, b := range [...][]byte{t.shape, t.sizes, t.text, t.last} {
		recycle(b)
	}
	for _, b := range t.full {
		recycle(b)
	}
	*t = Texts{}
}

// AppendFrom appends the frames of chunks to dst, from the one numbered from, counted from
// 0: those of about so many bytes, and says how many they are.
func (t *Texts) AppendFrom(dst []byte, from, most int) (frames []byte, count int) {
	frames, count, err := t.run().appendFrom(dst, from, most, t.size)
	if err != nil { // cannot be: they were packed here
		return dst, 0
	}
	return frames, count
}

// Strings are what stands before and behind the text of each event, and all texts, which
// lie in room where they are not in one piece.
func (t *Texts) Strings(room *[]byte) (before, after, texts []byte) {
	before, after, texts = t.run().strings()
	if len(t.full) > 0 {
		*room = t.appendTexts(slices.Grow((*room)[:0], t.TextsSize()))
		texts = *room
	}
	return before, after, texts
}

// Typed says that the chunks are typed ones.
func (t *Texts) Typed() bool { return t.typed && t.chunks > 0 }

func (t *Texts) run() textRun {
	if t.typed {
		return textRun{typed: true, sizes: t.sizes, full: t.full, text: t.text, first: t.first, wire: t.wire, form: t.form}
	}
	return textRun{shape: t.shape, sizes: t.sizes, full: t.full, text: t.text, split: t.split, first: t.first, wire: t.wire, form: t.form}
}

// textRun is a run of texts to be read.
type textRun struct {
	shape, sizes, text []byte
	full               [][]byte // what texts are before text
	split              int
	first, wire, form  uint64
	typed              bool
}

func (r textRun) strings() (before, after, texts []byte) {
	return r.shape[:r.split], r.shape[r.split:], r.text
}

// IsTexts says that a run is one of texts.
func IsTexts(packed []byte) bool { return len(packed) > 2 && packed[0] == 0 && packed[1] == 0 }

// Strings are those of a run of texts: see Texts. The texts are the run's end. Nothing is
// before and after those of a typed run, which are no strings of JSON.
func Strings(packed []byte) (before, after, texts []byte, err error) {
	r, _, err := parseTexts(packed)
	if err != nil {
		return nil, nil, nil, err
	}
	before, after, texts = r.strings()
	return before, after, texts, nil
}

// AppendFrom is Texts.AppendFrom of a run of texts.
func AppendFrom(dst, packed []byte, from, most int) (frames []byte, count int, err error) {
	r, size, err := parseTexts(packed)
	if err != nil {
		return dst, 0, err
	}
	return r.appendFrom(dst, from, most, size)
}

// parseTexts takes a run of texts apart. size is the length of its frames.
func parseTexts(packed []byte) (r textRun, size int, err error) {
	packed = packed[2:]
	ok := true
	number := func(most uint64) uint64 {
		v, n := binary.Uvarint(packed)
		if n <= 0 || v > most {
			ok = false
			return 0
		}
		packed = packed[n:]
		return v
	}
	bytes := func(size uint64) []byte {
		if size > uint64(len(packed)) {
			ok = false
			return nil
		}
		b := packed[:size:size]
		packed = packed[size:]
		return b
	}
	size = int(number(MaxSize))
	shape := number(maxShape)
	r.split = int(number(shape))
	r.shape = bytes(shape)
	r.first = number(maxSequence)
	if len(packed) < 2 || packed[0] >= 0x80 || packed[1] >= 0x80 {
		return r, 0, errBroken
	}
	r.wire, r.form, packed = uint64(packed[0]), uint64(packed[1]), packed[2:]
	r.sizes = bytes(number(MaxSize))
	r.text = packed
	r.typed = shape == 0
	if !ok || r.typed && r.wire != kindText && r.wire != kindReasoning && r.wire != kindRefusal {
		return r, 0, errBroken
	}
	return r, size, nil
}

// appendFrom is AppendFrom, where all frames are so many bytes.
func (r textRun) appendFrom(dst []byte, from, most, size int) (frames []byte, count int, err error) {
	before, after, text := r.strings()
	pieces := r.full
	if len(pieces) > 0 {
		text, pieces = pieces[0], pieces[1:]
	}
	frames, limit := dst, len(dst)+size
	if most < size {
		most += len(dst)
	} else {
		most = limit
	}
	sizes, sequence := r.sizes, r.first
	number := func() uint64 {
		v, n := binary.Uvarint(sizes)
		if n <= 0 {
			err = errBroken
			return 0
		}
		sizes = sizes[n:]
		return v
	}
	for len(sizes) > 0 && len(frames) < most {
		events, only := uint64(1), number()
		each := sizes
		if only&1 == 1 {
			events, each = only>>1, sizes
		}
		if events > uint64(len(r.sizes)) {
			return dst, 0, errBroken
		}
		whole := only >> 1
		if only&1 == 1 {
			whole = 0
		}
		deltas := uint64(0) // the size of typed events
		if only&1 == 0 {
			deltas = uint64(eventSize(r.form, whole))
		} else {
			for range events {
				n := min(number(), MaxSize)
				whole += n
				deltas += uint64(eventSize(r.form, n))
			}
		}
		if len(text) == 0 && whole > 0 && r.full != nil {
			if len(pieces) > 0 {
				text, pieces = pieces[0], pieces[1:]
			} else {
				text, r.full = r.text, nil
			}
		}
		if err != nil || whole > uint64(len(text)) {
			return dst, 0, errBroken
		}
		if from > 0 {
			from, sequence, text = from-1, sequence+1, text[whole:]
			continue
		}
		data := whole + events*uint64(len(r.shape))
		head, entry := frameSizes(sequence, r.wire, r.form, events, data)
		if r.typed {
			entry = fieldSize(sequence) + int(deltas)
			head = varint(uint64(entry))
		}
		if len(frames)+head+entry > limit {
			return dst, 0, errBroken
		}
		if r.typed {
			frames = appendField(binary.AppendUvarint(frames, uint64(entry)), tagSequence, sequence)
		} else {
			frames = appendHead(frames, sequence, r.wire, r.form, events, data, uint64(entry))
		}
		for range events {
			n := whole
			if only&1 == 1 {
				var read int
				n, read = binary.Uvarint(each)
				each = each[read:]
			}
			if r.typed {
				frames = appendEvent(frames, r.wire, r.form, text[:n])
			} else {
				frames = append(append(append(frames, before...), text[:n]...), after...)
			}
			text = text[n:]
		}
		if !r.typed {
			frames = appendField(frames, tagCount, events)
		}
		sequence, count = sequence+1, count+1
	}
	return frames, count, nil
}

// frameSizes are the length of what leads a frame, which is the length of the rest, and
// the rest.
func frameSizes(sequence, wire, form, count, data uint64) (lead, entry int) {
	raw := rawSize(wire, form, count, data)
	entry = fieldSize(sequence) + 1 + varint(raw) + int(raw)
	return varint(uint64(entry)), entry
}

func rawSize(wire, form, count, data uint64) uint64 {
	size := uint64(fieldSize(wire)+fieldSize(form)+fieldSize(count)) + data
	if data > 0 {
		size += uint64(1 + varint(data))
	}
	return size
}

// appendHead appends what stands before a chunk's data.
func appendHead(dst []byte, sequence, wire, form, count, data, entry uint64) []byte {
	dst = appendField(binary.AppendUvarint(dst, entry), tagSequence, sequence)
	dst = binary.AppendUvarint(append(dst, tagRaw), rawSize(wire, form, count, data))
	dst = appendField(appendField(dst, tagWire, wire), tagForm, form)
	if data > 0 {
		dst = binary.AppendUvarint(append(dst, tagData), data)
	}
	return dst
}

func fieldSize(v uint64) int {
	if v == 0 {
		return 0
	}
	return 1 + varint(v)
}

func appendField(dst []byte, tag byte, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return binary.AppendUvarint(append(dst, tag), v)
}
