package events

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gptmesh/gptmesh/pkg/callctx"
	"google.golang.org/protobuf/proto"
)

// Draft is an event to be recorded.
type Draft struct {
	// Type is the subject: "session.ended".
	Type string
	// Owner is the principal. Empty means the one of the call.
	Owner string
	// Key is what order is kept for.
	Key string
	// Causation is what brought it about. Empty means the event before it in the
	// same record, or the request id of the call.
	Causation string
	// Correlation is the request id that the record's events stand under, where the
	// first of them says so. Empty means that of the call.
	Correlation string
	// Payload is the message of the type.
	Payload proto.Message
	// Time is when it happened. Zero means now.
	Time time.Time
}

// Recorder makes the records of one source. A nil Recorder makes none: events
// are off.
type Recorder struct {
	source string
	plain  bool
}

// NewRecorder returns the recorder of a room.
func NewRecorder(source string) *Recorder { return &Recorder{source: source} }

// Plain returns a recorder whose records are not packed: for a log that
// processes of earlier versions read as well.
func (r *Recorder) Plain() *Recorder { return &Recorder{source: r.source, plain: true} }

// Record returns events as an outbox keeps them; nil for a nil Recorder. The
// call in ctx gives owner and correlation.
func (r *Recorder) Record(ctx context.Context, drafts ...Draft) []byte {
	loan := r.Lend(ctx, drafts...)
	defer loan.Release()
	return bytes.Clone(loan.Record())
}

// Lend is Record in memory that is lent: for a store that has what it keeps of a
// record when its call returns.
func (r *Recorder) Lend(ctx context.Context, drafts ...Draft) *Loan {
	if r == nil || len(drafts) == 0 {
		return nil
	}
	correlation := drafts[0].Correlation
	if correlation == "" {
		correlation = callctx.From(ctx).RequestID
	}
	l := loans.Get().(*Loan)
	e := &l.encoder
	e.begin(r.source, correlation)
	for i := range drafts {
		e.append(ctx, &drafts[i], correlation, i == 0)
	}
	l.record = e.end()
	if r.plain {
		if plain, err := Unpack(l.record); err == nil { // else not of what was written above; readers of this version take either form
			l.record = plain
		}
	}
	return l
}

// Loan is a record that lies in memory that is lent.
type Loan struct {
	encoder encoder
	record  []byte
}

var loans = sync.Pool{New: func() any { return new(Loan) }}

// maxLoan is the largest record whose memory is kept for reuse.
const maxLoan = 64 << 10

// Record is the record, nil for a nil Loan. It must not be used after Release.
func (l *Loan) Record() []byte {
	if l == nil {
		return nil
	}
	return l.record
}

// Release gives the memory back. It may be left out, and is called once.
func (l *Loan) Release() {
	if l == nil || cap(l.encoder.record) > maxLoan || cap(l.encoder.payload) > maxLoan {
		return
	}
	l.record = nil
	loans.Put(l)
}

// AppendRecord appends an event to a record. Text of it that is not UTF-8 is
// mended.
func AppendRecord(record []byte, event *Event) []byte {
	if !utf8.ValidString(event.GetKey()) || !utf8.ValidString(event.GetCorrelationId()) || !utf8.ValidString(event.GetCausationId()) || !utf8.ValidString(event.GetOwner()) {
		event = proto.CloneOf(event)
		for _, text := range []*string{&event.Key, &event.CorrelationId, &event.CausationId, &event.Owner} {
			*text = strings.ToValidUTF8(*text, "\uFFFD")
		}
	}
	record = binary.AppendUvarint(record, uint64(proto.Size(event)))
	record, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(record, event)
	if err != nil {
		panic(err) // the other fields are the program's own, or were decoded
	}
	return record
}

var errRecord = errors.New("events: a record is cut short")
