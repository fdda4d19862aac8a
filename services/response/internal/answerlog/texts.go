package answerlog

import (
	"slices"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/services/response/internal/alike"
)

// maxStrikes is how often a run of texts that saved little may be followed by another one.
const maxStrikes = 4

// takeTexts adds a chunk to the open run of texts, or begins one; false where it is of
// other events than those that differ in their text alone.
func (l *Log) takeTexts(m *measured) bool {
	if l.strikes >= maxStrikes {
		return false
	}
	begun := l.texts.Len() > 0
	if !l.addTexts(m) {
		l.closeTexts()
		begun = false
		if !l.learnTexts(m) || !l.addTexts(m) {
			return false
		}
	}
	if !begun { // it stands behind all others
		switch {
		case len(l.open.pieces) > 0:
			l.closeRun()
		case l.count == 1 && len(l.tail) > 0: // with nothing to be alike
			l.addBlock(block{data: l.tail})
			l.tail = nil
		case len(l.tail) > 0:
			l.put()
		}
		l.dropTail()
		l.first = l.count
	}
	l.count++
	l.size += m.size
	if l.texts.PackedSize() >= mostPacked {
		l.closeTexts()
	}
	return true
}

// addTexts adds a chunk to the texts, where it is of their kind.
func (l *Log) addTexts(m *measured) bool {
	if m.typed {
		return l.texts.AddTyped(alike.Typed{Sequence: uint64(m.chunk.GetSequence()), Events: m.chunk.GetEvents(), Size: m.size}, extend)
	}
	raw := m.chunk.GetRaw()
	return l.texts.Add(alike.Chunk{
		Sequence: uint64(m.chunk.GetSequence()), Wire: uint64(raw.GetWire()), Form: uint64(raw.GetForm()),
		Count: uint64(raw.GetEventCount()), Data: raw.GetData(),
	}, extend)
}

// learnTexts learns of a chunk what others are to be alike in; false where that is nothing.
func (l *Log) learnTexts(m *measured) bool {
	return m.typed || l.texts.Learn(m.chunk.GetRaw().GetData(), extend)
}

// Texts is how many of events, from the first on, do nothing but to add text to one choice in
// one way, which a log keeps by their texts where they are a chunk of their own.
func Texts(events []*conversationv1.Event) int { return alike.TypedLead(events) }

// Lead is the length of the provider's events that data begins with and that differ from
// others of the log in their text alone, and how many they are.
func (l *Log) Lead(data []byte) (size, count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.texts.Lead(data)
}

// Unlike is the length of the first of the provider's events in data and of those behind
// it before such as differ in their text alone, as the last two do, and how many they are:
// 0 where there are no such ones.
func (l *Log) Unlike(data []byte) (size, count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.strikes >= maxStrikes || l.texts.Len() > 0 || !l.texts.Learn(data, extend) {
		return 0, 0
	}
	return l.texts.Unlike(data)
}

// closeTexts makes a block of the open run of texts, if there is one.
func (l *Log) closeTexts() {
	if l.texts.Len() == 0 {
		return
	}
	typed := l.texts.Typed()
	worth := l.texts.Size() / 4
	if typed { // which are never packed otherwise
		worth = l.texts.Size()
	}
	if l.texts.PackedSize() > worth {
		l.strikes++
	}
	data := l.texts.AppendTo(newSegment(l.texts.PackedSize()), recycle)
	l.addBlock(block{first: l.first, packed: true, texts: true, typed: typed, data: data})
	l.first = l.count
}

// WalkTexts is Walk, but that texts are given to fn where it takes them: those of a provider's
// events that stand between before and after, one behind the other as they came. fn must not
// keep them.
func (l *Log) WalkTexts(entry func([]byte) error, texts func(before, after, texts []byte) bool) error {
	buffer := buffers.Get().(*[]byte)
	defer giveBack(buffer)
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.blocks {
		b := &l.blocks[i]
		if b.texts && !b.typed && texts != nil {
			before, after, all, err := alike.Strings(b.data)
			if err != nil {
				return err
			}
			if texts(before, after, all) {
				continue
			}
		}
		frames := b.data
		if b.packed || b.bare {
			var err error
			if frames, err = b.appendTo((*buffer)[:0]); err != nil {
				return err
			}
			*buffer = frames
		}
		if err := walk(frames, entry); err != nil {
			return err
		}
	}
	if l.texts.Len() > 0 && !l.texts.Typed() && texts != nil {
		before, after, all := l.texts.Strings(buffer)
		if texts(before, after, all) {
			return walk(l.tail, entry)
		}
	}
	frames, err := l.newestIn(buffer)
	if err != nil {
		return err
	}
	return walk(frames, entry)
}

// blockOf is that of chunk i, which is in one.
func (l *Log) blockOf(i int) *block {
	at, found := slices.BinarySearchFunc(l.blocks, i, func(b block, i int) int { return b.first - i })
	if !found {
		at--
	}
	return &l.blocks[at]
}

// textsAt is the block of chunk i, or says that it is of the open run, where that is one of
// texts.
func (l *Log) textsAt(i int) (b *block, open bool) {
	if i >= l.first {
		return nil, i < l.first+l.texts.Len()
	}
	if b = l.blockOf(i); b.texts {
		return b, false
	}
	return nil, false
}
