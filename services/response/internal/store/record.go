package store

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/gen/packing"
	"github.com/gptmesh/gptmesh/services/response/internal/alike"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Columns is a row of an answer as both databases hold it. Times are
// microseconds since 1970; 0 means none.
type Columns struct {
	ID, Owner, RequestID, SessionID string
	State                           int32
	Create, Finish                  int64
	LastSequence                    int64
	// Head is the marshalled Response without the messages of its choices.
	Head []byte
	// Messages is a marshalled Response that holds nothing but choices with
	// their messages; empty where there are none. The embedded database keeps them
	// quoted, see Quote.
	Messages []byte

	room *room // that they lie in; nil for none
}

// room is memory for what columns hold.
type room struct{ head, messages, quoted []byte }

var rooms = sync.Pool{New: func() any { return new(room) }}

// maxRoom is the largest part of a room that is kept for reuse.
const maxRoom = 64 << 10

// Release gives the memory back that Head and Messages lie in, and returns the
// columns without them. It may be left out; it is called once, and nobody may use
// either of them any more.
func (c Columns) Release() Columns {
	r := c.room
	c.Head, c.Messages, c.room = nil, nil, nil
	if r != nil && max(cap(r.head), cap(r.messages), cap(r.quoted)) <= maxRoom {
		rooms.Put(r)
	}
	return c
}

// ToColumns takes an answer apart. The answer is not changed.
func ToColumns(r *responsev1.Response) (Columns, error) {
	c, err := toHead(r)
	if err == nil && len(r.GetChoices()) > 0 {
		c.Messages, err = packing.Append(nil, &responsev1.Response{Choices: r.GetChoices()})
	}
	return c, err
}

// toHead is ToColumns without the messages.
func toHead(r *responsev1.Response) (Columns, error) {
	c := Columns{
		ID: r.GetId(), Owner: r.GetOwner(), RequestID: r.GetRequestId(), SessionID: r.GetSessionId(),
		State: int32(r.GetState()), Create: Micros(r.GetCreateTime().AsTime()), LastSequence: r.GetLastSequence(),
	}
	if r.GetFinishTime() != nil {
		c.Finish = Micros(r.GetFinishTime().AsTime())
	}
	d := drafts.Get().(*draft)
	defer d.release()
	c.room = rooms.Get().(*room)
	var err error
	c.room.head, err = packing.Append(c.room.head[:0], d.headOf(r))
	c.Head = c.room.head
	return c, err
}

// draft is what a row is marshalled from: its messages are gone when it is.
type draft struct {
	response responsev1.Response
	choice   responsev1.Choice
	choices  [1]*responsev1.Choice
}

var drafts = sync.Pool{New: func() any { return new(draft) }}

func (d *draft) release() {
	*d = draft{}
	drafts.Put(d)
}

// headOf is an answer without the messages of its choices. It shares all else.
func (d *draft) headOf(r *responsev1.Response) *responsev1.Response {
	d.response = responsev1.Response{
		Id: r.GetId(), RequestId: r.GetRequestId(), SessionId: r.GetSessionId(), Owner: r.GetOwner(), State: r.GetState(),
		Model: r.GetModel(), Provider: r.GetProvider(), Usage: r.GetUsage(), Failure: r.GetFailure(),
		CreateTime: r.GetCreateTime(), FirstEventTime: r.GetFirstEventTime(), FinishTime: r.GetFinishTime(),
		LastSequence: r.GetLastSequence(), Cached: r.GetCached(), DroppedFields: r.GetDroppedFields(),
		JsonOutput: r.GetJsonOutput(), Redactions: r.GetRedactions(), Guard: r.GetGuard(),
	}
	d.response.Choices = d.choices[:0]
	for i, choice := range r.GetChoices() {
		bare := &d.choice
		if i > 0 {
			bare = new(responsev1.Choice)
		}
		bare.Index, bare.FinishReason, bare.StopSequence = choice.GetIndex(), choice.GetFinishReason(), choice.GetStopSequence()
		d.response.Choices = append(d.response.Choices, bare)
	}
	return &d.response
}

// FromColumns puts an answer together from its head and messages, which may be
// empty.
func FromColumns(head, messages []byte) (*responsev1.Response, error) {
	r := new(responsev1.Response)
	if err := proto.Unmarshal(head, r); err != nil {
		return nil, fmt.Errorf("stored answer: %w", err)
	}
	if len(messages) > 0 {
		whole := new(responsev1.Response)
		if err := proto.Unmarshal(messages, whole); err != nil {
			return nil, fmt.Errorf("stored messages: %w", err)
		}
		r.Choices = whole.GetChoices()
	}
	return r, nil
}

// Interrupted makes the answer in head final for a sweep, of the pieces that
// were journaled. It returns the row and the log as stored.
func (s Sweep) Interrupted(head, frames []byte) (Columns, []byte, error) {
	r, err := FromColumns(head, nil)
	if err != nil {
		return Columns{}, nil, err
	}
	r.State = responsev1.Response_STATE_INTERRUPTED
	r.FinishTime = timestamppb.New(s.Now)
	log, err := PackLog(s.End(r, frames))
	if err != nil {
		return Columns{}, nil, err
	}
	c, err := ToColumns(r)
	return c, log, err
}

// Micros is t as stored.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// CursorOf is the place of r in a list.
func CursorOf(r *responsev1.Response) Cursor {
	return Cursor{Micros: Micros(r.GetCreateTime().AsTime()), ID: r.GetId()}
}

// String is the cursor for a page token.
func (c Cursor) String() string { return strconv.FormatInt(c.Micros, 10) + "/" + c.ID }

// ParseCursor reads what String wrote; false for anything else.
func ParseCursor(text string) (Cursor, bool) {
	micros, id, ok := strings.Cut(text, "/")
	n, err := strconv.ParseInt(micros, 10, 64)
	return Cursor{Micros: n, ID: id}, ok && err == nil && id != ""
}

// The first byte of a stored log says how the rest is packed.
const (
	plainLog byte = iota
	zstdLog
	alikeLog // see alike.Append
	runsLog  // see alike.ParseRuns
)

// Runs appends the beginning of the stored form of a log that is packed in runs, see
// alike.ParseRuns, to dst.
func Runs(dst []byte) []byte { return append(dst, runsLog) }

// compressFrom is the size from which packing pays: the compressor takes 10 µs for each
// KB of prose in short texts, and makes half of it. That is a quarter of what a whole turn
// takes where its answer has 4 KB, for a sixth of what all its rows take on the disk.
const compressFrom = 16 << 10

// maxLog bounds what unpacking may make of a stored log.
const maxLog = alike.MaxSize

var (
	packer = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
			zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(128<<10))
	})
	unpacker = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(maxLog))
	})
)

// PlainLog begins the stored form of a log whose frames take size bytes, MaxPlain
// at most, so that they can be written where they stay: in room, where that is
// large enough.
func PlainLog(room []byte, size int) []byte {
	return append(slices.Grow(room[:0], 1+size), plainLog)
}

// MaxPlain is the size of the longest log that PackLog makes nothing less of.
const MaxPlain = compressFrom - 1

// ToQuoted is ToColumns and the log in its stored form; the messages quote it.
func (f *Final) ToQuoted() (c Columns, log []byte, err error) {
	if c, err = toHead(f.Response); err != nil {
		return c, nil, err
	}
	if log, err = f.PackedLog(); err != nil || len(f.Response.GetChoices()) == 0 {
		return c, log, err
	}
	frames := f.Log
	if len(f.Stored) > 0 && f.Stored[0] == plainLog {
		frames = f.Stored[1:]
	}
	// Of the texts, which are most of it, nothing is left as a rule.
	d := drafts.Get().(*draft)
	defer d.release()
	d.response.Choices = f.Response.GetChoices()
	messages, err := packing.Append(c.room.messages[:0], &d.response)
	if err != nil {
		return c, nil, err
	}
	c.room.messages, c.Messages = messages, messages
	var quoted []byte
	var ok bool
	switch {
	case f.TextsEnd > f.Texts && f.Verbatim:
		quoted, ok = appendStored(c.room.quoted[:0], quotedVerbatim, f.Response, messages, log, f.Texts, f.TextsEnd)
	case f.TextsEnd > f.Texts:
		quoted, ok = appendStored(c.room.quoted[:0], quotedStored, f.Response, messages, log, f.Texts, f.TextsEnd)
	default:
		if quoted, ok = appendQuoted(c.room.quoted[:0], quotedMessages, f.Response, messages, frames); !ok && len(log) > 0 && log[0] == plainLog {
			quoted, ok = appendQuoted(c.room.quoted[:0], quotedVerbatim, f.Response, messages, log)
		}
	}
	if ok {
		c.room.quoted, c.Messages = quoted, quoted
	}
	return c, log, nil
}

// PackedLog is the log in its stored form.
func (f *Final) PackedLog() ([]byte, error) {
	if f.Stored != nil {
		return f.Stored, nil
	}
	return PackLog(f.Log)
}

// PackLog makes the stored form of frames.
func PackLog(frames []byte) ([]byte, error) {
	if len(frames) == 0 {
		return nil, nil
	}
	if len(frames) < compressFrom {
		return append([]byte{plainLog}, frames...), nil
	}
	// The events of a stream differ in little but their text, which is quicker to
	// find than what a compressor looks for.
	if packed, ok := alike.Append([]byte{alikeLog}, frames); ok {
		return packed, nil
	}
	e, err := packer()
	if err != nil {
		return nil, err
	}
	return e.EncodeAll(frames, []byte{zstdLog}), nil
}

// UnpackLog reads the stored form.
func UnpackLog(stored []byte) ([]byte, error) {
	switch {
	case len(stored) == 0:
		return nil, nil
	case stored[0] == plainLog:
		return stored[1:], nil
	case stored[0] == zstdLog:
		d, err := unpacker()
		if err != nil {
			return nil, err
		}
		return d.DecodeAll(stored[1:], nil)
	case stored[0] == alikeLog:
		return alike.Parse(nil, stored[1:])
	case stored[0] == runsLog:
		return alike.ParseRuns(nil, stored[1:])
	}
	return nil, fmt.Errorf("stored log: unknown packing %d", stored[0])
}
