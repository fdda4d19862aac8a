package response

import (
	"sync"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/services/response/internal/postprocess"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// parts is what the messages of a run are made of, in one piece of memory that
// the next run uses again. Nobody but the run's goroutine and, while they have it,
// those it lends a chunk to may know of it: where something of it is kept, such as
// an answer in the cache, the parts are not given back.
type parts struct {
	call    gptv1.GenerateRequest
	grammar wire.Grammar
	chunk   conversationv1.Chunk // lent to whoever receives
	found   postprocess.Result

	response       responsev1.Response
	created, first timestamppb.Timestamp
	usage          conversationv1.Usage

	opening opening
	message responsev1.GenerateResponse
	*endParts

	assembler wire.Assembler
	text      *[]byte        // of answerTexts: what the answer's text lies in; nil for none
	made      [1]wire.Choice // by it
	answer    []wire.Choice  // likewise; nil until it is whole
}

// endParts are those of a run's end: what runs for long has none before.
type endParts struct {
	held       conversationv1.Chunk
	heldRaw    conversationv1.RawChunk
	leadRaw    conversationv1.RawChunk // of what it began with, where that was sent before
	heldEvents [6]*conversationv1.Event
	endEvents  endEvents
	heldData   *[]byte // what heldRaw's bytes lie in, where they are a copy

	finished timestamppb.Timestamp
	choice   responsev1.Choice
	choices  [1]*responsev1.Choice
	last     closing
	terminal conversationv1.Chunk
	end      finishing
}

var (
	pool    = sync.Pool{New: func() any { return new(parts) }}
	endPool = sync.Pool{New: func() any { return new(endParts) }}
)

// ending makes sure that there are the parts of the end.
func (p *parts) ending() {
	if p.endParts == nil {
		p.endParts = endPool.Get().(*endParts)
	}
}

// release gives the parts back. The run is over.
func (p *parts) release() {
	*p.endParts = endParts{}
	endPool.Put(p.endParts)
	*p = parts{}
	pool.Put(p)
}

// release gives back what the run was made of, unless somebody keeps it.
func (r *run) release() {
	if r.ttl > 0 || r.parts.end.kept {
		return
	}
	p := r.parts
	if p.heldData != nil && cap(*p.heldData) <= maxLent {
		logs.Put(p.heldData)
	}
	if p.text != nil && cap(*p.text) <= maxLent {
		poison(*p.text)
		answerTexts.Put(p.text)
	}
	r.parts, r.response, r.held = nil, nil, nil
	p.release()
}

// stamp is timestamppb.New in memory that is there.
func stamp(at *timestamppb.Timestamp, t time.Time) *timestamppb.Timestamp {
	at.Seconds, at.Nanos = t.Unix(), int32(t.Nanosecond())
	return at
}

// opening is the room's own started event, in front of others.
type opening struct {
	started conversationv1.Started
	kind    conversationv1.Event_Started
	event   conversationv1.Event
	events  [6]*conversationv1.Event
}

// endEvents is room for copies of the events of an answer's end.
type endEvents struct {
	usage    conversationv1.Usage
	ofUsage  conversationv1.Event_Usage
	counted  conversationv1.Event
	finished conversationv1.Finished
	at       timestamppb.Timestamp
	ofEnd    conversationv1.Event_Finished
	ended    conversationv1.Event
}

// copy is proto.CloneOf. There is room for one event of each kind.
func (e *endEvents) copy(event *conversationv1.Event) *conversationv1.Event {
	if len(event.ProtoReflect().GetUnknown()) > 0 {
		return proto.CloneOf(event)
	}
	switch kind := event.GetKind().(type) {
	case *conversationv1.Event_Usage:
		if e.ofUsage.Usage != nil || kind.Usage == nil {
			break
		}
		e.ofUsage.Usage = wire.CopyUsageInto(&e.usage, kind.Usage)
		e.counted.Kind = &e.ofUsage
		return &e.counted
	case *conversationv1.Event_Finished:
		at := kind.Finished.GetFinishTime()
		if e.ofEnd.Finished != nil || kind.Finished == nil || len(kind.Finished.ProtoReflect().GetUnknown()) > 0 || len(at.ProtoReflect().GetUnknown()) > 0 {
			break
		}
		if at != nil {
			e.at.Seconds, e.at.Nanos = at.GetSeconds(), at.GetNanos()
			e.finished.FinishTime = &e.at
		}
		e.ofEnd.Finished = &e.finished
		e.ended.Kind = &e.ofEnd
		return &e.ended
	}
	return proto.CloneOf(event)
}

// closing is the event of an answer that finished.
type closing struct {
	finished conversationv1.Finished
	kind     conversationv1.Event_Finished
	event    conversationv1.Event
}

func (c *closing) make(at *timestamppb.Timestamp) *conversationv1.Event {
	c.finished.FinishTime = at
	c.kind.Finished, c.event.Kind = &c.finished, &c.kind
	return &c.event
}
