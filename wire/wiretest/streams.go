package wiretest

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
)

// Ending is how decoding a stream ended: the last error's reason, or none.
type Ending struct {
	// Reason is that of the fault; UNSPECIFIED where there was none.
	Reason meshv1.ErrorReason
}

// Decode decodes a stream read from source, as gpt reads it: batch by batch,
// checking the grammar. Usage may be given out once per batch, so only the last
// one is kept, before the end.
func Decode(t *testing.T, codec wire.Codec, source io.Reader) ([]*conversationv1.Event, Ending) {
	t.Helper()
	decoder := codec.NewStreamDecoder()
	var grammar wire.Grammar
	var all []*conversationv1.Event
	var usage *conversationv1.Event
	take := func(events []*conversationv1.Event) {
		for _, event := range events {
			if err := grammar.Accept(event); err != nil {
				t.Fatalf("%v: %v", err, event)
			}
			switch {
			case event.GetUsage() != nil:
				usage = event
				continue
			case wire.Terminal(event) && usage != nil:
				all = append(all, usage)
			}
			all = append(all, event)
		}
	}
	batches := newBatches(codec, source)
	for {
		data, err := batches()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		borrowed := bytes.Clone(data)
		events, err := decoder.Decode(nil, borrowed)
		for i := range borrowed { // The data was borrowed: nothing may refer to it now.
			borrowed[i] = '!'
		}
		take(events)
		if err != nil {
			return all, Ending{fault.From(err).Reason}
		}
	}
	events, err := decoder.End(nil)
	take(events)
	if err != nil {
		return all, Ending{fault.From(err).Reason}
	}
	if !grammar.Ended() {
		t.Fatal("the stream ended without a terminal event")
	}
	return all, Ending{}
}

// newBatches reads whole events.
func newBatches(codec wire.Codec, source io.Reader) func() ([]byte, error) {
	if codec.Form() == conversationv1.RawForm_RAW_FORM_SSE {
		reader := eventstream.NewSSEReader(source, eventstream.Limits{})
		return func() ([]byte, error) { batch, err := reader.Next(); return batch.Raw, err }
	}
	reader := eventstream.NewLineReader(source, eventstream.Limits{})
	return func() ([]byte, error) { batch, err := reader.Next(); return batch.Raw, err }
}

// slices is a source that comes in pieces.
type slices struct{ pieces [][]byte }

func (s *slices) Read(p []byte) (int, error) {
	for len(s.pieces) > 0 && len(s.pieces[0]) == 0 {
		s.pieces = s.pieces[1:]
	}
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.pieces[0])
	s.pieces[0] = s.pieces[0][n:]
	return n, nil
}

func checkStream(t *testing.T, codec wire.Codec, fixtures Fixtures, stem string, data []byte) {
	events, ending := Decode(t, codec, bytes.NewReader(data))
	shown := ShowEvents(t, events)
	if ending != (Ending{}) {
		shown += "error: " + ending.Reason.String() + "\n"
	}
	fixtures.golden(t, stem+".events.golden", shown)

	// Long recordings are cut at every few bytes; below, byte by byte.
	for cut := 0; cut < len(data); cut += 1 + len(data)/250 {
		again, end := Decode(t, codec, &slices{pieces: [][]byte{data[:cut], data[cut:]}})
		if diff := cmp.Diff(events, again, protocmp.Transform()); diff != "" || end != ending {
			t.Fatalf("cut at %d, %v and not %v (-whole +cut)\n%s", cut, end, ending, diff)
		}
	}
	var single slices
	for i := range data {
		single.pieces = append(single.pieces, data[i:i+1])
	}
	if again, end := Decode(t, codec, &single); !equal(events, again) || end != ending {
		t.Fatal("byte by byte, the events are others")
	}
	checkTruncation(t, codec, data)
	checkRawScan(t, codec, data, events, ending)
	checkClient(t, codec, fixtures, stem, events, ending)
}

func equal(a, b []*conversationv1.Event) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !proto.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// checkTruncation holds that a stream that was cut behind any event is either
// whole already or an error, never both or neither.
func checkTruncation(t *testing.T, codec wire.Codec, data []byte) {
	t.Helper()
	for _, end := range boundaries(t, codec, data) {
		events, ending := Decode(t, codec, bytes.NewReader(data[:end]))
		terminal := len(events) > 0 && wire.Terminal(events[len(events)-1])
		if terminal == (ending != Ending{}) {
			t.Fatalf("cut at %d: terminal %v, %v", end, terminal, ending)
		}
	}
}

func boundaries(t *testing.T, codec wire.Codec, data []byte) (ends []int) {
	t.Helper()
	var pieces slices
	for i := range data {
		pieces.pieces = append(pieces.pieces, data[i:i+1])
	}
	next, at := newBatches(codec, &pieces), 0
	for {
		raw, err := next()
		if err != nil {
			return ends
		}
		ends = append(ends, at)
		at += len(raw)
	}
}

// checkRawScan holds that the scanner passes what it need not take out, and
// finds what the decoder finds.
func checkRawScan(t *testing.T, codec wire.Codec, data []byte, events []*conversationv1.Event, ending Ending) {
	t.Helper()
	for _, dropUsage := range []bool{false, true} {
		for _, bytewise := range []bool{false, true} {
			var source io.Reader = bytes.NewReader(data)
			if bytewise {
				var pieces slices
				for i := range data {
					pieces.pieces = append(pieces.pieces, data[i:i+1])
				}
				source = &pieces
			}
			passed, found, end := scan(t, codec, source, wire.ScanOptions{DropUsage: dropUsage})
			if end != ending {
				t.Fatalf("the scanner ends with %v, the decoder with %v", end, ending)
			}
			var want []*conversationv1.Event
			for _, event := range events {
				if event.GetStarted() != nil || event.GetUsage() != nil || wire.Terminal(event) {
					want = append(want, event)
				}
			}
			if diff := cmp.Diff(want, found, protocmp.Transform()); diff != "" {
				t.Fatalf("the scanner finds others than the decoder (-decoder +scanner)\n%s", diff)
			}
			failed := len(found) > 0 && found[len(found)-1].GetFailed() != nil
			switch {
			case !dropUsage && !failed && ending == (Ending{}) && !bytes.Equal(passed, data):
				t.Fatalf("the raw answer was changed:\n%q\n%q", data, passed)
			case dropUsage && !failed && ending == (Ending{}) && !isSubsequence(passed, bytes.ReplaceAll(data, nullUsage, nil)) && !isSubsequence(passed, data):
				t.Fatal("what was passed is not a part of the raw answer")
			}
		}
	}
}

func scan(t *testing.T, codec wire.Codec, source io.Reader, options wire.ScanOptions) (passed []byte, found []*conversationv1.Event, ending Ending) {
	t.Helper()
	scanner := codec.NewRawScanner(options)
	next := newBatches(codec, source)
	var usage *conversationv1.Event
	take := func(events []*conversationv1.Event) {
		for _, event := range events {
			switch {
			case event.GetUsage() != nil:
				usage = event
				continue
			case wire.Terminal(event) && usage != nil:
				found = append(found, usage)
			}
			found = append(found, event)
		}
	}
	for {
		data, err := next()
		if err != nil {
			break
		}
		borrowed := bytes.Clone(data)
		pass, count, events, err := scanner.Scan(borrowed, nil)
		if err != nil {
			take(events)
			return passed, found, Ending{fault.From(err).Reason}
		}
		if count > 0 && len(pass) == 0 || count < 0 {
			t.Fatalf("%d events in %q", count, pass)
		}
		passed = append(passed, pass...)
		for i := range borrowed {
			borrowed[i] = '!'
		}
		take(events)
	}
	events, err := scanner.End(nil)
	take(events)
	if err != nil {
		return passed, found, Ending{fault.From(err).Reason}
	}
	return passed, found, Ending{}
}

// nullUsage stands in the chunks of an answer whose usage was asked for.
var nullUsage = []byte(`,"usage":null`)

// isSubsequence says whether part is whole with lines taken out.
func isSubsequence(part, whole []byte) bool {
	lines := strings.SplitAfter(string(part), "\n")
	rest := strings.SplitAfter(string(whole), "\n")
	for _, line := range lines {
		for len(rest) > 0 && rest[0] != line {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return line == ""
		}
		rest = rest[1:]
	}
	return true
}

// Clock is a clock that goes on by 10 ms whenever it is read.
func Clock() func() time.Time {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return func() time.Time {
		now = now.Add(10 * time.Millisecond)
		return now
	}
}

// Options are fixed options for answers, so that golden files stay.
func Options() wire.AnswerOptions {
	return wire.AnswerOptions{
		ID: "mesh-1", Model: "as-asked", Created: time.Unix(1700000000, 0).UTC(), IncludeUsage: true, InputTokens: 7, Now: Clock(),
	}
}

// Encode encodes events for a streaming client, one by one. Each is lent, and
// spoiled before the next comes.
func Encode(t *testing.T, codec wire.Codec, events []*conversationv1.Event) []byte {
	t.Helper()
	encoder := codec.NewStreamEncoder(Options())
	var out []byte
	for _, event := range events {
		var err error
		lent := proto.CloneOf(event)
		if out, err = encoder.Encode(out, []*conversationv1.Event{lent}); err != nil {
			t.Fatal(err)
		}
		spoil(lent.ProtoReflect())
	}
	return out
}

// spoil takes all out of a message and of those within it.
func spoil(m protoreflect.Message) {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil || field.IsMap():
		case field.IsList():
			for i := range value.List().Len() {
				spoil(value.List().Get(i).Message())
			}
		default:
			spoil(value.Message())
		}
		return true
	})
	proto.Reset(m.Interface())
}

// Assemble makes a whole answer of events.
func Assemble(t *testing.T, events []*conversationv1.Event) *wire.Answer {
	t.Helper()
	var assembler wire.Assembler
	if err := assembler.Add(events...); err != nil {
		t.Fatal(err)
	}
	return assembler.Answer()
}

// checkClient holds that what a client gets, streamed or whole, says what the
// provider said.
func checkClient(t *testing.T, codec wire.Codec, fixtures Fixtures, stem string, events []*conversationv1.Event, ending Ending) {
	t.Helper()
	if ending != (Ending{}) {
		return
	}
	out := Encode(t, codec, events)
	together, err := codec.NewStreamEncoder(Options()).Encode(nil, events)
	if err != nil {
		t.Fatal(err)
	}
	if codec.Form() == conversationv1.RawForm_RAW_FORM_SSE && !bytes.Equal(out, together) {
		t.Error("events encoded together look other than one by one")
	}
	fixtures.golden(t, stem+".client.golden", string(out))
	answer := Assemble(t, events)
	again, end := Decode(t, codec, bytes.NewReader(out))
	if end != (Ending{}) {
		t.Fatalf("what a client gets ends with %v", end)
	}
	compare(t, "streamed", answer, Assemble(t, again))
	if answer.Failure != nil {
		if _, err := codec.EncodeAnswer(answer, Options()); err == nil && !fixtures.WithoutGolden {
			t.Error("an answer that failed was encoded")
		}
		return
	}
	body, err := codec.EncodeAnswer(answer, Options())
	if err != nil {
		t.Fatal(err)
	}
	fixtures.golden(t, stem+".body.golden", string(body)+"\n")
	whole, err := codec.DecodeAnswer(body)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "whole", answer, Assemble(t, whole))
}

// withoutStop passes over the stop text, which not every dialect tells.
var withoutStop = cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".StopSequence" }, cmp.Ignore())

// compare compares what two answers say.
func compare(t *testing.T, form string, want, got *wire.Answer) {
	t.Helper()
	if (want.Failure != nil) != (got.Failure != nil) || want.Finished != got.Finished {
		t.Fatalf("%s: the end differs: %v, %v", form, want.Failure, got.Failure)
	}
	if want.Failure != nil {
		return
	}
	if diff := cmp.Diff(want.Choices, got.Choices, protocmp.Transform(), withoutStop); diff != "" {
		t.Errorf("%s, encoded and decoded, the answer is another (-want +got)\n%s", form, diff)
	}
	if want.Usage != nil {
		if diff := cmp.Diff(want.Usage, got.Usage, protocmp.Transform(), protocmp.IgnoreFields(&conversationv1.Usage{}, "source")); diff != "" {
			t.Errorf("%s, encoded and decoded, usage is another (-want +got)\n%s", form, diff)
		}
	}
}
