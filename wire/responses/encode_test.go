package responses_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/openai"
	"github.com/gptmesh/gptmesh/wire/responses"
	"github.com/gptmesh/gptmesh/wire/wiretest"
	"google.golang.org/grpc/codes"
)

func started() *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{ResponseId: "resp_1", Model: "m"}}}
}

func said(s string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Text: s}}}
}

func declined(s string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Refusal{Refusal: &conversationv1.TextDelta{Text: s}}}
}

func thought(text, signature, redacted string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Reasoning{Reasoning: &conversationv1.ReasoningDelta{
		Text: text, Signature: signature, Redacted: redacted,
	}}}
}

func called(index int32, id, name, arguments string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ToolCall{ToolCall: &conversationv1.ToolCallDelta{
		Index: index, Id: id, Name: name, ArgumentsJson: arguments,
	}}}
}

func ended(reason conversationv1.FinishReason) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{Reason: reason}}}
}

func finished() *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}}
}

const stop = conversationv1.FinishReason_FINISH_REASON_STOP

// odd are answers whose events come in orders that this dialect does not have.
var odd = map[string][]*conversationv1.Event{
	"interleaved": {
		started(), called(0, "call_a", "look", `{"a":`), called(1, "call_b", "look", `{"b":`), called(0, "", "", `1}`), called(1, "", "", `2}`), ended(stop), finished(),
	},
	"text_between": {
		started(), said("One "), called(0, "call_a", "look", `{"a":`), said("two "), called(0, "", "", `1}`), said("three"), ended(stop), finished(),
	},
	"never_whole": {
		started(), called(0, "call_a", "look", ``), called(1, "call_b", "look", `{"b":2}`), said("Done."), ended(stop), finished(),
	},
	"thoughts": {
		started(), thought("A", "", ""), thought("", "sig", ""), thought("", "", "secret"), thought("B", "", ""), said("x"), thought("C", "", ""), ended(stop), finished(),
	},
	"refusal_in_text": {started(), said("I "), declined("won't"), said("."), ended(stop), finished()},
	"cut_call": {
		started(), said("x"), called(0, "call_a", "look", `{"a":`), ended(conversationv1.FinishReason_FINISH_REASON_LENGTH), finished(),
	},
	"refused_without_words": {started(), ended(conversationv1.FinishReason_FINISH_REASON_REFUSAL), finished()},
	"no_end_of_choice":      {started(), said("x"), finished()},
	"other_choices":         {started(), said("x"), {Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Choice: 1, Text: "y"}}}, ended(stop), finished()},
	"failed": {started(), said("x"), {Kind: &conversationv1.Event_Failed{Failed: wire.Failure(
		fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED, "slow down"))}}},
	"cancelled": {started(), said("x"), {Kind: &conversationv1.Event_Failed{Failed: wire.Failure(
		fault.New(codes.Canceled, meshv1.ErrorReason_ERROR_REASON_CANCELLED, "cancelled"))}}},
	"failed_first": {{Kind: &conversationv1.Event_Failed{Failed: wire.Failure(fault.StoreUnavailable("gpt", nil))}}},
}

// TestOrder holds that whatever order events come in, clients see one item at a
// time, and that the whole answer is the one that the stream ends with.
func TestOrder(t *testing.T) {
	t.Parallel()
	for name, events := range odd {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stream := wiretest.Encode(t, responses.Codec(), events)
			wiretest.Golden(t, filepath.Join("testdata", "order", name+".golden"), string(stream), *update)
			checkOrder(t, stream)
			answer := wiretest.Assemble(t, events)
			if !answer.Finished {
				return
			}
			whole, err := responses.Codec().EncodeAnswer(answer, wiretest.Options())
			if err != nil {
				t.Fatal(err)
			}
			all := frames(t, stream)
			if diff := cmp.Diff(string(whole), string(all[len(all)-1]["response"])); diff != "" {
				t.Errorf("-whole +streamed\n%s", diff)
			}
		})
	}
}

// TestSkip holds that a stream behind a number is the end of the whole stream.
func TestSkip(t *testing.T) {
	t.Parallel()
	for name, events := range odd {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := wiretest.Encode(t, responses.Codec(), events)
			pieces := strings.SplitAfter(string(all), "\n\n")
			for n := range pieces {
				encoder := responses.With(nil, int64(n-1)).NewStreamEncoder(wiretest.Options())
				rest, err := encoder.Encode(nil, events)
				if err != nil || string(rest) != strings.Join(pieces[n:], "") {
					t.Fatalf("behind %d: %v\n%s", n-1, err, rest)
				}
			}
		})
	}
}

// TestEveryProvider runs what other providers stream through this dialect: the
// order is legal, and read back it says the same.
func TestEveryProvider(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../openai/testdata/streams/*.sse")
	if err != nil || len(paths) == 0 {
		t.Fatal(err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			events, ending := wiretest.Decode(t, openai.Chat(), bytes.NewReader(data))
			if ending != (wiretest.Ending{}) {
				return
			}
			stream := wiretest.Encode(t, responses.Codec(), events)
			checkOrder(t, stream)
			again, ending := wiretest.Decode(t, responses.Codec(), bytes.NewReader(stream))
			if ending != (wiretest.Ending{}) {
				t.Fatal(ending)
			}
			want, got := wiretest.Assemble(t, events), wiretest.Assemble(t, again)
			if (want.Failure == nil) != (got.Failure == nil) {
				t.Fatalf("%v, %v", want.Failure, got.Failure)
			}
			if want.Failure == nil && len(want.Choices) > 0 && story(want) != story(got) {
				t.Errorf("%s\n%s", story(want), story(got))
			}
		})
	}
}

// story is what the first choice says.
func story(answer *wire.Answer) string {
	var text, refusal, thoughts, calls string
	for _, part := range answer.Choices[0].Message.GetParts() {
		text += part.GetText()
		refusal += part.GetRefusal()
		thoughts += part.GetReasoning().GetText() + part.GetReasoning().GetSignature() + part.GetReasoning().GetRedacted()
		if call := part.GetToolCall(); call != nil {
			calls += call.GetId() + call.GetName() + call.GetArgumentsJson()
		}
	}
	return strings.Join([]string{text, refusal, thoughts, calls}, "|")
}

// TestTooMuch holds that an answer does not grow without bound.
func TestTooMuch(t *testing.T) {
	t.Parallel()
	encoder := responses.Codec().NewStreamEncoder(wire.AnswerOptions{ID: "i"})
	if _, err := encoder.Encode(nil, []*conversationv1.Event{started()}); err != nil {
		t.Fatal(err)
	}
	piece := []*conversationv1.Event{said(strings.Repeat("x", 1<<20))}
	var err error
	for range 40 {
		if _, err = encoder.Encode(nil, piece); err != nil {
			break
		}
	}
	if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE) {
		t.Error(err)
	}
}

// TestBehindTheEnd holds that arguments behind the end of a call are not lost in
// silence.
func TestBehindTheEnd(t *testing.T) {
	t.Parallel()
	encoder := responses.Codec().NewStreamEncoder(wire.AnswerOptions{ID: "i"})
	_, err := encoder.Encode(nil, []*conversationv1.Event{
		started(), called(0, "a", "look", `{}`), called(1, "b", "look", `{`), called(0, "", "", " \n"), called(0, "", "", `{"x":1}`),
	})
	if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL) {
		t.Error(err)
	}
}

func TestEcho(t *testing.T) {
	t.Parallel()
	body := `{"model":"m","input":"x","tools":[ {"type":"custom", "name":"patch"} ],"text":{"verbosity":"low"},"reasoning":{"effort":"low"},
		"temperature":0.25,"metadata":{"z":"1","a":"2"},"user":null}`
	echo, err := responses.EchoOf([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	again, err := responses.EchoOf([]byte(echo.JSON()))
	if err != nil || again.JSON() != echo.JSON() {
		t.Fatal(err, echo.JSON())
	}
	stream, err := responses.With(again, -1).NewStreamEncoder(wiretest.Options()).Encode(nil, []*conversationv1.Event{
		started(), called(0, "call_1", "patch", "*** Begin"), ended(stop), finished(),
	})
	if err != nil {
		t.Fatal(err)
	}
	checkOrder(t, stream)
	wiretest.Golden(t, "testdata/custom_tool.golden", string(stream), *update)
	if _, err := responses.EchoOf([]byte(`{"store":true,"store":false}`)); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_DUPLICATE_FIELD) {
		t.Error(err)
	}
}

func TestItems(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/turns/everything.json")
	if err != nil {
		t.Fatal(err)
	}
	turn, err := responses.Codec().DecodeTurn(data)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	var list [][]byte
	for i, m := range turn.GetMessages() {
		m.Id = "resp_x." + string(rune('a'+i))
		items, err := responses.ItemsOf(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			if !json.Valid(item.JSON) || !bytes.Contains(item.JSON, []byte(`"`+item.ID+`"`)) {
				t.Errorf("%s: %s", item.ID, item.JSON)
			}
			if answer, ok := responses.AnswerOf(item.ID); !ok || answer != m.GetId() {
				t.Errorf("%s is of %s", item.ID, answer)
			}
			out.Write(append(item.JSON, '\n'))
			list = append(list, item.JSON)
		}
	}
	wiretest.Golden(t, "testdata/items.golden", out.String(), *update)
	back, err := responses.DecodeItems("items", []byte("["+string(bytes.Join(list, []byte(",")))+"]"))
	if err != nil || len(back) != len(turn.GetMessages()) {
		t.Errorf("%v: %d messages of %d", err, len(back), len(turn.GetMessages()))
	}
	for _, none := range []string{"", "msg", "msg_", "msg_x", "msg_x_", "msg_x_y", "msg__1"} {
		if answer, ok := responses.AnswerOf(none); ok {
			t.Errorf("%q is of %q", none, answer)
		}
	}
}
