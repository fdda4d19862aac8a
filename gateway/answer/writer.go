package answer

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"

	"github.com/gptmesh/gptmesh/gateway/edge"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
)

// writer writes one answer. Its methods are called by the sink of one call.
type writer struct {
	dialect *Dialect
	turn    Turn
	x       *edge.Exchange
	stream  *edge.Stream // nil where the client wants one body

	headers   answerHeaders
	model     string // the provider's name of it
	begun     bool   // started was seen
	passed    bool   // the provider's own bytes were sent
	marked    bool   // their last ones were dialect.End
	ended     bool
	more      bool  // the next chunk is there already
	queued    bool  // a piece waits for it
	broken    error // of writing
	buf       []byte
	lent      *[]byte // of buffers, what buf lies in while a chunk is taken; nil for nothing
	held      []byte  // a whole body that awaits its terminal event
	encoder   wire.StreamEncoder
	decoder   wire.StreamDecoder
	assembler *wire.Assembler
}

// take is the sink.
func (w *writer) take(step *requestv1.SubmitResponse) error {
	if step.Request != nil {
		w.header(func(h http.Header) { w.headers.request(h, step.Request) })
	}
	chunk := step.Chunk
	if chunk == nil || w.ended {
		return nil
	}
	if !w.begun && len(chunk.Events) > 0 {
		if started := chunk.Events[0].GetStarted(); started != nil {
			w.begun = true
			w.model = started.GetModel()
			w.header(func(h http.Header) { w.headers.started(h, started) })
		}
	}
	w.more = chunk.GetMore()
	err := w.write(chunk)
	if err != nil && w.broken == nil {
		w.fail(err)
	}
	if w.lent != nil {
		if cap(w.buf) <= maxKept {
			*w.lent = w.buf
			buffers.Put(w.lent)
		}
		w.lent, w.buf = nil, nil
	}
	return err
}

// room is the writer's buffer, empty. Most pieces pass without one.
func (w *writer) room() []byte {
	if w.lent == nil {
		w.lent = buffers.Get().(*[]byte)
		w.buf = (*w.lent)[:0]
	}
	return w.buf[:0]
}

func (w *writer) header(set func(http.Header)) {
	if w.stream != nil {
		w.stream.Header(set)
		return
	}
	set(w.x.Header())
}

func (w *writer) write(chunk *conversationv1.Chunk) error {
	last := wire.Last(chunk)
	if failed := last.GetFailed(); failed != nil && w.silent() && len(chunk.GetRaw().GetData()) == 0 {
		w.fail(w.x.Cause(wire.Fault(failed)))
		return nil
	}
	if w.stream == nil {
		return w.keep(chunk, last)
	}
	raw := chunk.Raw
	switch {
	case raw != nil && raw.Wire == w.dialect.Codec.Wire() && raw.Form == w.dialect.Codec.Form() && w.encoder == nil:
		return w.pass(raw.Data, last)
	case raw == nil && w.passed:
		return w.pass(nil, last)
	}
	events, err := w.typed(chunk)
	if err != nil {
		return err
	}
	if w.encoder == nil {
		w.encoder = w.dialect.Codec.NewStreamEncoder(w.turn.Options())
	}
	if w.buf, err = w.encoder.Encode(w.room(), events); err != nil {
		return err
	}
	w.note(last)
	return w.send(w.buf)
}

// silent says that nothing of the answer has gone out or is kept.
func (w *writer) silent() bool { return w.stream == nil || !w.stream.Opened() }

// pass sends the provider's own bytes on.
func (w *writer) pass(data []byte, last *conversationv1.Event) error {
	w.passed = true
	out := data
	if w.turn.Rewrite != nil && len(data) > 0 {
		out = w.turn.Rewrite(w.room(), data, w.model)
	}
	if len(w.dialect.End) > 0 && len(out) > 0 {
		w.marked = endsWith(out, w.dialect.End)
	}
	switch kind := last.GetKind().(type) {
	case *conversationv1.Event_Finished:
		if !w.marked && len(w.dialect.End) > 0 {
			out = w.append(out, w.dialect.End)
		}
	case *conversationv1.Event_Failed:
		w.buf = w.failure(w.append(out, nil), kind.Failed)
		out = w.buf
	}
	w.note(last)
	return w.send(out)
}

// append is data and tail in the writer's buffer, which data may lie in.
func (w *writer) append(data, tail []byte) []byte {
	w.buf = append(append(w.room(), data...), tail...)
	return w.buf
}

// endsWith says whether data ends with the event end, whatever its line ends
// and the space behind its colon.
func endsWith(data, end []byte) bool {
	mark := bytes.TrimSpace(bytes.TrimPrefix(end, []byte("data:")))
	line := bytes.TrimRight(data, "\r\n")
	if !bytes.HasSuffix(line, mark) {
		return false
	}
	line = bytes.TrimRight(line[:len(line)-len(mark)], " ")
	return bytes.HasSuffix(line, []byte("\ndata:")) || bytes.HasSuffix(line, []byte("\rdata:")) || string(line) == "data:"
}

// note notes a terminal event.
func (w *writer) note(last *conversationv1.Event) {
	if last == nil {
		return
	}
	w.ended = true
	if failed := last.GetFailed(); failed != nil {
		w.x.SetFailure(wire.Fault(failed))
	}
}

// send writes one piece out.
func (w *writer) send(piece []byte) error {
	var err error
	switch {
	case w.ended:
		err = w.stream.Last(piece)
	case w.more && len(piece) > 0:
		w.queued, err = true, w.stream.Queue(piece)
	case !w.more && (w.queued || len(piece) > 0):
		w.queued, err = false, w.stream.Send(piece)
	}
	if err != nil {
		w.broken = err
	}
	return err
}

// failure appends the dialect's error event.
func (w *writer) failure(dst []byte, failure *conversationv1.Failure) []byte {
	encoder := w.encoder
	if encoder == nil {
		encoder = w.dialect.Codec.NewStreamEncoder(w.turn.Options())
	}
	out, err := encoder.Encode(dst, []*conversationv1.Event{{Kind: &conversationv1.Event_Failed{Failed: failure}}})
	if err != nil {
		w.x.SetFailure(err)
		return dst
	}
	return out
}

// keep collects an answer for a client that wants one body, and writes it when
// it has ended.
func (w *writer) keep(chunk *conversationv1.Chunk, last *conversationv1.Event) error {
	raw := chunk.Raw
	if raw != nil && raw.Wire == w.dialect.Codec.Wire() && raw.Form == conversationv1.RawForm_RAW_FORM_JSON && w.assembler == nil {
		if last.GetFinished() != nil {
			return w.body(raw.Data)
		}
		w.held = append(w.held[:0], raw.Data...) // the chunk is borrowed
	} else if raw != nil || w.held == nil {
		events, err := w.typed(chunk)
		if err != nil {
			return err
		}
		if w.assembler == nil {
			w.assembler = &wire.Assembler{}
		}
		if err := w.assembler.Add(events...); err != nil {
			return err
		}
	}
	switch kind := last.GetKind().(type) {
	case *conversationv1.Event_Failed:
		w.fail(wire.Fault(kind.Failed))
	case *conversationv1.Event_Finished:
		if w.held != nil {
			return w.body(w.held)
		}
		body, err := w.dialect.Codec.EncodeAnswer(w.assembler.Answer(), w.turn.Options())
		if err != nil {
			return err
		}
		w.ended = true
		return w.whole(body)
	}
	return nil
}

// body answers with the provider's own body.
func (w *writer) body(data []byte) error {
	w.ended = true
	if w.turn.Rewrite != nil {
		data = w.turn.Rewrite(w.room(), data, w.model)
	}
	return w.whole(data)
}

func (w *writer) whole(body []byte) error {
	if err := w.x.JSON(http.StatusOK, body); err != nil {
		w.broken = err
		return err
	}
	return nil
}

var errForeign = errors.New("an answer in a wire that was not asked for")

// typed returns a chunk's events, decoded where it holds the provider's bytes
// in a form that this client did not ask for: an answer that was kept for
// another one.
func (w *writer) typed(chunk *conversationv1.Chunk) ([]*conversationv1.Event, error) {
	raw := chunk.Raw
	if raw == nil {
		return chunk.Events, nil
	}
	codec := w.dialect.Codec
	if raw.Wire != codec.Wire() {
		return nil, fault.Internal(fmt.Errorf("%w: %v", errForeign, raw.Wire))
	}
	var decoded []*conversationv1.Event
	var err error
	if raw.Form == conversationv1.RawForm_RAW_FORM_JSON {
		decoded, err = codec.DecodeAnswer(raw.Data)
	} else {
		if w.decoder == nil {
			w.decoder = codec.NewStreamDecoder()
		}
		decoded, err = w.decoder.Decode(nil, raw.Data)
	}
	if err != nil {
		return nil, err
	}
	return merge(chunk.Events, decoded), nil
}

// merge puts the deltas of decoded between the chunk's own events: started
// before them, usage and the terminal event behind.
func merge(own, decoded []*conversationv1.Event) []*conversationv1.Event {
	merged := make([]*conversationv1.Event, 0, len(own)+len(decoded))
	if len(own) > 0 && own[0].GetStarted() != nil {
		merged, own = append(merged, own[0]), own[1:]
	}
	for _, event := range decoded {
		switch event.GetKind().(type) {
		case *conversationv1.Event_Started, *conversationv1.Event_Usage, *conversationv1.Event_Finished, *conversationv1.Event_Failed:
		default:
			merged = append(merged, event)
		}
	}
	return append(merged, own...)
}
