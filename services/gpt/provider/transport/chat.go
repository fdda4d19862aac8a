package transport

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/gptmesh/gptmesh/pkg/stacks"
	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Chat is one model call over a codec.
type Chat struct {
	// Codec is the provider's dialect.
	Codec wire.Codec
	// Path is where the call goes, below the base address.
	Path string
	// Options are passed to the codec; Model, Stream and DefaultMaxOutputTokens
	// are set from the call.
	Options wire.TurnOptions
	// AskedUsage says that the client wants the usage that its dialect gives only when
	// asked: else it is taken out of a raw stream. Options may have it stored here.
	AskedUsage bool
	// Done says that an event of a stream is its last one, so that the end of
	// the connection need not be waited for.
	Done func(*eventstream.Event) bool
	// Header is sent beside the client's own.
	Header upstream.Header
}

// Words say how a provider is asked.
type Words interface {
	// Chat makes chat, which is empty, what suits the call, or says why there is none.
	Chat(call *provider.Call, chat *Chat) error
}

// Generate makes the call as provider.Provider promises. What it is made with stands in no
// frame: thousands of streams wait in this one.
func (c *Client) Generate(ctx context.Context, words Words, call *provider.Call, sink provider.Sink) error {
	out, err := c.begin(ctx, words, call)
	if err != nil {
		return err
	}
	defer out.close()
	out.sink = sink
	if streamed := call.Turn.GetStream(); !streamed || isWhole(out.resp, out.chat.Codec.Form()) {
		err = out.whole(ctx, out.resp, streamed)
	} else {
		err = out.stream(ctx, out.resp)
	}
	out.read = true
	return err
}

// close ends the answer, whose memory is used again where it was read.
func (a *answer) close() {
	room, resp := a.room, a.resp
	if a.read {
		a.release()
	}
	_ = resp.Body.Close()
	room.giveBack() // behind the close
}

// begin sends the call and returns what makes chunks of its answer. It is no part
// of Generate, so that what it needs is not kept for as long as the answer takes.
func (c *Client) begin(ctx context.Context, words Words, call *provider.Call) (*answer, error) {
	a, _ := answers.Get().(*answer)
	out, err := c.word(ctx, a, words, call)
	if err != nil {
		return nil, err
	}
	resp, err := c.pass(ctx, out)
	a.room.sent()
	if err == nil && !succeeded(resp) {
		err = c.failed(ctx, resp)
	}
	if err != nil {
		return nil, err
	}
	a.resp = resp
	return a, nil
}

// word words the call, of which an answer is to come.
func (c *Client) word(ctx context.Context, a *answer, words Words, call *provider.Call) (*outbound, error) {
	if !call.Turn.GetStream() {
		return c.encode(ctx, a, words, call)
	}
	return c.wordStream(ctx, a, words, call)
}

func (c *Client) wordStream(ctx context.Context, a *answer, words Words, call *provider.Call) (out *outbound, err error) {
	c.cfg.Stacks.Do(stacks.Func(func() { out, err = c.encode(ctx, a, words, call) }))
	return out, err
}

func (c *Client) encode(ctx context.Context, a *answer, words Words, call *provider.Call) (*outbound, error) {
	chat := &a.chat
	if err := words.Chat(call, chat); err != nil {
		return nil, err
	}
	options := chat.Options
	options.Model, options.Stream, options.DefaultMaxOutputTokens = call.Model, call.Turn.GetStream(), call.MaxOutputTokens
	if len(call.Quirks) > 0 {
		options.Quirks = slices.Concat(options.Quirks, call.Quirks)
	}
	if !options.Stream { // looked for now: what was waited for since is no longer at hand
		a.decoded = wire.DecodedFrom(ctx)
	}
	a.room = c.room(len(call.Turn.GetRaw().GetBody()), !options.Stream)
	options.Room = a.room.bytes()
	body, dropped, err := chat.Codec.EncodeTurn(call.Turn, options)
	if err != nil {
		a.room.giveBack()
		return nil, provider.Unsent(err)
	}
	target, err := c.Target(chat.Path)
	if err != nil {
		a.room.giveBack()
		return nil, provider.Unreachable(c.cfg.Name, true, err)
	}
	req := Request{Method: "POST", Target: target, Body: body, Accept: "application/json", Once: true, Header: chat.Header}
	if options.Stream {
		req.Accept = mediaType(chat.Codec.Form())
	}
	a.client, a.raw = c, call.Turn.GetAcceptWire() == chat.Codec.Wire()
	a.head = head{provider: c.cfg.Name, model: call.Model, dropped: dropped}
	return c.outbound(ctx, &req), nil
}

func mediaType(form conversationv1.RawForm) string {
	if form == conversationv1.RawForm_RAW_FORM_NDJSON {
		return "application/x-ndjson"
	}
	return "text/event-stream"
}

// isWhole says that a server answered a demand for a stream with one JSON
// body. Lines of JSON are sent as application/json by some.
func isWhole(resp *upstream.Response, form conversationv1.RawForm) bool {
	return form == conversationv1.RawForm_RAW_FORM_SSE &&
		strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json")
}

// head is what the room knows of an answer beside what the provider says.
type head struct {
	provider, model string
	dropped         []string
}

func (h *head) fill(started *conversationv1.Started) {
	started.Provider = h.provider
	started.DroppedFields = append(started.DroppedFields, h.dropped...)
	if started.Model == "" {
		started.Model = h.model
	}
	if started.CreateTime == nil {
		started.CreateTime = timestamppb.Now()
	}
}

// answer turns one HTTP answer into chunks. Its memory is used again for the next
// one: what it hands on is lent.
type answer struct {
	client *Client
	chat   Chat
	sink   provider.Sink
	raw    bool
	head   head
	resp   *upstream.Response
	read   bool // as far as is wanted
	room   room // that the body of the request lies in until the answer's is closed
	// decoded is what a body that is handed on was decoded to, for others; nil for nobody.
	decoded *wire.Decoded

	grammar wire.Grammar
	chunk   conversationv1.Chunk
	bytes   conversationv1.RawChunk
	events  []*conversationv1.Event
	kept    [4]*conversationv1.Event // room for those that stand beside a raw body, and one of the gpt room's
	list    []*conversationv1.Event  // what those of a stream lie in
	prefix  []byte
	started bool
	ended   bool
}

var answers = sync.Pool{New: func() any { return new(answer) }}

// maxEvents is how many events of a chunk there is room for in memory that is kept.
const maxEvents = 512

// forgotten is an empty list of events in the memory of one that is no longer used.
func forgotten(events []*conversationv1.Event) []*conversationv1.Event {
	if cap(events) > maxEvents {
		return nil
	}
	events = events[:cap(events)]
	clear(events)
	return events[:0]
}

// whole passes on an answer that is one JSON body.
func (a *answer) whole(ctx context.Context, resp *upstream.Response, streamed bool) error {
	body, err := a.client.read(ctx, resp)
	if err != nil {
		return err
	}
	events, err := wire.DecodeKept(a.chat.Codec, body)
	if err != nil {
		return a.client.codecError(err)
	}
	if a.raw && !streamed {
		a.decoded.Keep(body, events)
		a.events = heads(a.kept[:0], events)
		return a.push(body, 1, conversationv1.RawForm_RAW_FORM_JSON)
	}
	a.decoded.KeepEvents(events)
	a.events = events
	return a.push(nil, 0, 0)
}

// heads appends the events that stand beside raw data.
func heads(kept, events []*conversationv1.Event) []*conversationv1.Event {
	for _, event := range events {
		switch event.GetKind().(type) {
		case *conversationv1.Event_Started, *conversationv1.Event_Usage, *conversationv1.Event_Finished, *conversationv1.Event_Failed:
			kept = append(kept, event)
		}
	}
	return kept
}

// events is a reader of eventstream that is fed.
type events interface {
	Feed(p []byte, sink func(raw []byte, last *eventstream.Event) error) error
	End(err error)
	Next() (eventstream.Batch, error)
	Rest() eventstream.Event
	Release()
}

// streaming is an answer that comes event by event. It is the writer that the
// body is poured into, and returns errEnded when the rest is of no interest.
type streaming struct {
	*answer
	reader    events
	translate translator
	sink      func(raw []byte, last *eventstream.Event) error // take
	err       error                                           // of whoever is given the chunks, or of the events
}

// errEnded stops the reading of an answer that is over.
var errEnded = errors.New("the answer is over")

// stream passes on an answer event by event.
func (a *answer) stream(ctx context.Context, resp *upstream.Response) error {
	s := a.streaming()
	defer s.giveBack()
	return s.finish(ctx, resp, pour(resp.Body, s))
}

func (a *answer) streaming() *streaming {
	limits := eventstream.Limits{MaxEvent: a.client.cfg.MaxEvent}
	s := &streaming{answer: a}
	if a.chat.Codec.Form() == conversationv1.RawForm_RAW_FORM_NDJSON {
		s.reader = eventstream.NewLineReader(nil, limits)
	} else {
		s.reader = eventstream.NewSSEReader(nil, limits)
	}
	if a.raw {
		s.translate = &rawTranslator{scanner: a.chat.Codec.NewRawScanner(wire.ScanOptions{DropUsage: !a.chat.AskedUsage})}
	} else {
		decoder := a.chat.Codec.NewStreamDecoder()
		if lender, ok := decoder.(wire.Lender); ok {
			lender.LendEvents() // a chunk is lent
		}
		s.translate = &typedTranslator{decoder: decoder}
	}
	s.sink = s.take
	return s
}

// giveBack gives back what the stream was read with.
func (s *streaming) giveBack() {
	s.reader.Release()
	s.translate.release()
}

// finish ends a stream whose body was read, with err where not to its end.
func (s *streaming) finish(ctx context.Context, resp *upstream.Response, err error) error {
	a := s.answer
	switch {
	case a.ended && s.err == nil:
		drain(resp.Body)
		return nil
	case errors.Is(s.err, eventstream.ErrTooLarge):
		return a.end(ctx, s.translate, s.reader, s.err)
	case s.err != nil:
		return s.err
	case err == nil:
		err = io.EOF
	}
	s.reader.End(err)
	for {
		batch, err := s.reader.Next()
		if err != nil {
			return a.end(ctx, s.translate, s.reader, err)
		}
		if err := s.take(batch.Raw, &batch.Events[len(batch.Events)-1]); err != nil || a.ended {
			return err
		}
	}
}

// Write implements io.Writer.
func (s *streaming) Write(p []byte) (int, error) {
	if s.err = s.reader.Feed(p, s.sink); s.err == nil && s.ended {
		return len(p), errEnded
	}
	return len(p), s.err
}

func (s *streaming) take(raw []byte, last *eventstream.Event) error {
	if len(raw) >= muchBeforeEnd && s.chat.Done != nil && s.chat.Done(last) {
		if at := beforeEnd(raw, s.chat.Codec.Form()); at > 0 {
			if err := s.batch(s.translate, raw[:at], &eventstream.Event{}); err != nil || s.ended {
				return err
			}
			raw = raw[at:]
		}
	}
	return s.batch(s.translate, raw, last)
}

// rooms are buffers for bodies that have to be read.
var rooms = sync.Pool{New: func() any { b := make([]byte, 4<<10); return &b }}

// pour writes a body to w as it comes. A body that can does it itself: it needs
// no buffer while it is silent. The error is nil at its end.
func pour(body io.Reader, w io.Writer) error {
	if body, ok := body.(io.WriterTo); ok {
		_, err := body.WriteTo(w)
		return err
	}
	room := rooms.Get().(*[]byte)
	defer rooms.Put(room)
	for {
		n, err := body.Read(*room)
		if n > 0 {
			if _, err := w.Write((*room)[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// batch passes on the events of one read.
func (a *answer) batch(translate translator, raw []byte, last *eventstream.Event) error {
	pass, count, events, err := translate.translate(a.list[:0], raw)
	a.events, a.list = events, events
	if err != nil {
		if !a.raw && len(events) > 0 {
			// What stood before the fault in the same read is as good as if it
			// had come alone.
			if err := a.push(nil, 0, 0); err != nil {
				return err
			}
		}
		return a.client.codecError(err)
	}
	if a.chat.Done != nil && a.chat.Done(last) {
		if a.events, err = translate.end(a.events); err != nil {
			return a.client.codecError(err)
		}
	}
	return a.push(pass, count, a.chat.Codec.Form())
}

// end closes the answer after the reader's last word.
func (a *answer) end(ctx context.Context, translate translator, reader events, cause error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var pass []byte
	var count int
	a.events = a.events[:0]
	switch {
	case errors.Is(cause, io.EOF):
	case errors.Is(cause, eventstream.ErrTruncated) && a.chat.Done != nil && a.done(reader):
		// The last event came whole but for the line ends behind it.
		last := append(append([]byte(nil), reader.Rest().Raw...), "\n\n"...)
		var err error
		if pass, count, a.events, err = translate.translate(a.events, last); err != nil {
			return a.client.codecError(err)
		}
	case errors.Is(cause, eventstream.ErrTooLarge):
		return provider.Protocol(a.client.cfg.Name, cause)
	default:
		return provider.Truncated(a.client.cfg.Name, cause)
	}
	var err error
	if a.events, err = translate.end(a.events); err != nil {
		return a.client.codecError(err)
	}
	if err := a.push(pass, count, a.chat.Codec.Form()); err != nil {
		return err
	}
	if !a.ended {
		return provider.Truncated(a.client.cfg.Name, io.ErrUnexpectedEOF)
	}
	return nil
}

// done says that the rest of a stream is its last event.
func (a *answer) done(reader events) bool {
	rest := reader.Rest()
	return a.chat.Done(&rest)
}

// maxPrefix bounds what is held back before the answer begins.
const maxPrefix = 64 << 10

// push checks the events against the grammar and hands the chunk on.
func (a *answer) push(pass []byte, count int, form conversationv1.RawForm) error {
	for _, event := range a.events {
		if err := a.grammar.Accept(event); err != nil {
			return a.client.codecError(err)
		}
		switch kind := event.GetKind().(type) {
		case *conversationv1.Event_Started:
			a.started = true
			a.head.fill(kind.Started)
		case *conversationv1.Event_Failed:
			a.client.fillFailure(kind.Failed)
		}
		a.ended = a.ended || wire.Terminal(event)
	}
	if !a.started {
		// Comments that keep the connection alive: the first message carries
		// started, so they wait for it.
		if len(a.prefix)+len(pass) <= maxPrefix {
			a.prefix = append(a.prefix, pass...)
		}
		pass, count = nil, 0
	} else if len(a.prefix) > 0 {
		pass, a.prefix = append(a.prefix, pass...), nil
	}
	a.chunk.Events, a.chunk.Raw = a.events, nil
	if a.raw && len(pass) > 0 {
		a.bytes.Wire, a.bytes.Form, a.bytes.Data, a.bytes.EventCount = a.chat.Codec.Wire(), form, pass, int32(count)
		a.chunk.Raw = &a.bytes
	}
	return a.sink(&a.chunk)
}

// drainFor is how long a finished answer's connection may take to become free
// for the next one.
const drainFor = 50 * time.Millisecond

// drain reads what little lies behind the last event, so that the connection
// can be used again.
func drain(body io.ReadCloser) {
	timer := time.AfterFunc(drainFor, func() { body.Close() })
	defer timer.Stop()
	_, _ = io.CopyN(io.Discard, body, 4<<10)
}
