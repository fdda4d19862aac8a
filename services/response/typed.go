package response

import (
	"sync"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/response/internal/answerlog"
	"github.com/gptmesh/gptmesh/wire"
)

// typer makes the typed half of an answer's chunks, which it must see from the
// first one on.
type typer struct {
	codec   func(conversationv1.Wire) wire.Codec
	decoder wire.StreamDecoder
	decoded *wire.Decoded // nil where nobody decoded before
	join    bool          // the pieces do not matter, only what they make together
	room    *[]byte       // for a text of pieces that are joined; nil for none
}

// joiner is a decoder that can join pieces.
type joiner interface {
	Join()
	// Lend makes the first text lie in *room.
	Lend(room *[]byte)
	// Texts decodes events that stand between before and after each, apart from their
	// texts, as these came, one behind the other. It is false where they must be decoded
	// one by one, behind the events that are returned.
	Texts(dst []*conversationv1.Event, before, after, texts []byte) ([]*conversationv1.Event, bool)
}

// events are all events of a chunk. What the chunk itself says of start, usage
// and end stands; deltas and ends of choices come from its raw half. With an error they
// are those before what cannot be decoded.
func (t *typer) events(chunk *conversationv1.Chunk) ([]*conversationv1.Event, error) {
	raw := chunk.GetRaw()
	if raw == nil {
		return chunk.GetEvents(), nil
	}
	decoded, err := t.decode(raw, wire.Last(chunk).GetFinished() != nil)
	if err != nil {
		return deltas(decoded[:0], decoded), err
	}
	if len(decoded) == 0 {
		return chunk.GetEvents(), nil
	}
	if len(chunk.GetEvents()) == 0 {
		return deltas(decoded[:0], decoded), nil
	}
	var out, after []*conversationv1.Event
	for _, event := range chunk.GetEvents() {
		if event.GetStarted() != nil {
			out = append(out, event)
		} else {
			after = append(after, event)
		}
	}
	return append(deltas(out, decoded), after...), nil
}

// deltas appends those of decoded that are not told by a chunk itself.
func deltas(dst, decoded []*conversationv1.Event) []*conversationv1.Event {
	for _, event := range decoded {
		switch event.GetKind().(type) {
		case *conversationv1.Event_Started, *conversationv1.Event_Usage, *conversationv1.Event_Finished, *conversationv1.Event_Failed:
		default:
			dst = append(dst, event)
		}
	}
	return dst
}

// texts are the events of a run of the log that holds texts alone, see answerlog; false
// where they must be decoded one by one, behind the events that are returned.
func (t *typer) texts(before, after, texts []byte) ([]*conversationv1.Event, bool) {
	d, ok := t.decoder.(joiner)
	if !ok || !t.join {
		return nil, false
	}
	decoded, ok := d.Texts(nil, before, after, texts)
	return deltas(decoded[:0], decoded), ok
}

// release gives back what the typer decoded with. It must not be used any more.
func (t *typer) release() {
	wire.Release(t.decoder)
	t.decoder = nil
}

func (t *typer) decode(raw *conversationv1.RawChunk, last bool) ([]*conversationv1.Event, error) {
	codec := t.codec(raw.GetWire())
	if codec == nil {
		return nil, brokenProtocol("no codec for " + raw.GetWire().String())
	}
	if raw.GetForm() == conversationv1.RawForm_RAW_FORM_JSON {
		if events, ok := t.decoded.Events(raw.GetData()); ok {
			return events, nil
		}
		return codec.DecodeAnswer(raw.GetData())
	}
	if t.decoder == nil {
		t.decoder = codec.NewStreamDecoder()
		if d, ok := t.decoder.(joiner); ok && t.join {
			d.Join()
			d.Lend(t.room)
		}
	}
	events, err := t.decoder.Decode(nil, raw.GetData())
	if err != nil || !last {
		return events, err
	}
	return t.decoder.End(events)
}

// assembleLog makes the answer of the log and the last chunk. Where whole is
// false, it makes of it what it can: what cannot be decoded is left out.
func (r *run) assembleLog(events []*conversationv1.Event, raw *conversationv1.RawChunk, whole bool) error {
	r.parts.assembler = wire.Assembler{MaxBytes: r.s.cfg.MaxAnswerBytes}
	if r.sequence == 0 && raw.GetForm() == conversationv1.RawForm_RAW_FORM_JSON {
		if typed, ok := r.decoded.Events(raw.GetData()); ok { // one body, and decoded before
			return r.assembleDecoded(typed)
		}
	}
	// What is held to be joined comes out at the end: one that broke off has none.
	t := &typer{codec: r.s.deps.Codec, decoded: &r.decoded, join: whole}
	if whole {
		t.room = r.textRoom()
	}
	defer t.release()
	var view answerlog.View
	var failed error
	err := r.log.WalkTexts(func(entry []byte) error {
		if failed != nil {
			return failed
		}
		chunk, err := view.Read(entry)
		if err != nil {
			return fault.Internal(err)
		}
		typed, err := t.events(chunk)
		if err != nil && whole {
			return err
		}
		return r.parts.assembler.Add(typed...)
	}, func(before, after, texts []byte) bool {
		typed, ok := t.texts(before, after, texts)
		if failed == nil {
			failed = r.parts.assembler.Add(typed...)
		}
		return ok
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	last := &conversationv1.Chunk{Events: events, Raw: raw}
	if whole {
		last.Events = append(events[:len(events):len(events)], &conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}})
	}
	typed, err := t.events(last)
	if err != nil && whole {
		return err
	}
	return r.parts.assembler.Add(typed...)
}

// answerTexts are rooms for the texts of answers.
var answerTexts = sync.Pool{New: func() any { return new([]byte) }}

// lendText makes the text of an answer that comes in typed events lie in memory that is lent.
func (r *run) lendText() {
	if room := r.textRoom(); room != nil {
		r.parts.assembler.Lend(room)
	}
}

// textRoom is room for the answer's text, which lies in it until the run is released; nil
// where it stays for longer, as in a session or in the cache.
func (r *run) textRoom() *[]byte {
	if r.ttl > 0 || r.req.GetSessionId() != "" {
		return nil
	}
	if r.parts.text == nil {
		r.parts.text = answerTexts.Get().(*[]byte)
	}
	return r.parts.text
}

// assembleDecoded makes the answer of what its body was decoded to. Of start,
// usage and end the row has what the chunk itself says.
func (r *run) assembleDecoded(typed []*conversationv1.Event) error {
	for i, event := range typed {
		switch event.GetKind().(type) {
		case *conversationv1.Event_Started, *conversationv1.Event_Usage, *conversationv1.Event_Finished, *conversationv1.Event_Failed:
			continue
		}
		if err := r.parts.assembler.Add(typed[i : i+1]...); err != nil {
			return err
		}
	}
	return nil
}
