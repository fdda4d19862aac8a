package openai_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/openai"
	"github.com/gptmesh/gptmesh/wire/wiretest"
)

func TestCompletionsConformance(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, openai.Completions(), wiretest.Fixtures{Dir: "testdata/completions", Update: *update})
}

func TestCompletionsRefuse(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{}`:                                   "INVALID_FIELD prompt",
		`{"prompt":null}`:                      "INVALID_FIELD prompt",
		`{"prompt":[]}`:                        "INVALID_FIELD prompt",
		`{"prompt":["a","b"]}`:                 "INVALID_FIELD prompt",
		`{"prompt":[1,2]}`:                     "UNSUPPORTED prompt",
		`{"prompt":[[1,2]]}`:                   "UNSUPPORTED prompt",
		`{"prompt":7}`:                         "MALFORMED_BODY prompt",
		`{"prompt":[null]}`:                    "MALFORMED_BODY prompt[0]",
		`{"prompt":"a","best_of":2}`:           "UNSUPPORTED best_of",
		`{"prompt":"a","n":0}`:                 "INVALID_FIELD n",
		`{"prompt":"a","n":1.5}`:               "MALFORMED_BODY n",
		`{"prompt":"a","n":129}`:               "INVALID_FIELD n",
		`{"prompt":"a","logprobs":true}`:       "MALFORMED_BODY logprobs",
		`{"prompt":"a","logprobs":21}`:         "INVALID_FIELD logprobs",
		`{"prompt":"a","temperature":3}`:       "INVALID_FIELD temperature",
		`{"prompt":"a","max_tokens":0}`:        "INVALID_FIELD max_tokens",
		`{"prompt":"a","model":""}`:            "INVALID_FIELD model",
		`{"prompt":"a","stream":1}`:            "MALFORMED_BODY stream",
		`{"prompt":"a","stream_options":true}`: "MALFORMED_BODY stream_options",
		`{"prompt":"a","prompt":"b"}`:          "DUPLICATE_FIELD prompt",
		`[]`:                                   "MALFORMED_BODY ",
		`{"prompt":"a"`:                        "MALFORMED_BODY ",
	} {
		_, err := openai.Completions().ScanTurn([]byte(body))
		f := fault.From(err)
		if err == nil {
			t.Errorf("%s: taken", body)
		} else if got := fault.ReasonName(f.Reason) + " " + f.Metadata["field"]; got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
		if _, err := openai.Completions().DecodeTurn([]byte(body)); err == nil {
			t.Errorf("%s: decoded", body)
		}
	}
}

func TestSplitPrompts(t *testing.T) {
	t.Parallel()
	body := `{"x":1e400, "prompt" : ["a" , "b\"é"],"n":2}`
	bodies, prompts, err := openai.SplitPrompts([]byte(body), 2)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{string(bodies[0]), string(bodies[1])}
	want := []string{`{"x":1e400, "prompt" : "a","n":2}`, `{"x":1e400, "prompt" : "b\"é","n":2}`}
	if diff := cmp.Diff(want, got); diff != "" || !slices.Equal(prompts, []string{"a", `b"é`}) {
		t.Error(diff, prompts)
	}
	if _, _, err := openai.SplitPrompts([]byte(body), 1); fault.From(err).Field() != "prompt" {
		t.Error(err)
	}
}

func TestTakeEcho(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"prompt":"a"}`:                           `{"prompt":"a"} false`,
		`{"prompt":"a","echo":true}`:               `{"prompt":"a"} true`,
		`{"echo":null,"prompt":"a"}`:               `{"prompt":"a"} false`,
		`{"echo":true,"prompt":"a","logprobs":1}`:  "UNSUPPORTED echo",
		`{"echo":"yes","prompt":"a"}`:              "MALFORMED_BODY echo",
		`{"echo":false,"prompt":"a","logprobs":1}`: `{"prompt":"a","logprobs":1} false`,
	} {
		rest, echo, err := openai.TakeEcho([]byte(body))
		got := string(rest) + map[bool]string{true: " true", false: " false"}[echo]
		if err != nil {
			f := fault.From(err)
			got = fault.ReasonName(f.Reason) + " " + f.Metadata["field"]
		}
		if got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
}

// TestEchoStandsBeforeEachChoice holds that what is echoed comes first, streamed
// or whole, and moves the offsets of tokens.
func TestEchoStandsBeforeEachChoice(t *testing.T) {
	t.Parallel()
	text := func(choice int32, s string) *conversationv1.Event {
		return &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{
			Choice: choice, Text: s, Logprobs: []*conversationv1.TokenLogprob{{Token: s, Logprob: -1}},
		}}}
	}
	events := []*conversationv1.Event{
		{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{Model: "m"}}}, text(0, "x"), text(1, "y"), text(0, "z"),
		{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}},
	}
	options := wiretest.Options()
	options.Echo = func(choice int32) string { return []string{"é0:", "1:"}[choice] }
	out, err := openai.Completions().NewStreamEncoder(options).Encode(nil, events)
	if err != nil {
		t.Fatal(err)
	}
	body, err := openai.Completions().EncodeAnswer(wiretest.Assemble(t, events), options)
	if err != nil {
		t.Fatal(err)
	}
	streamed, _ := wiretest.Decode(t, openai.Completions(), bytes.NewReader(out))
	whole, err := openai.Completions().DecodeAnswer(body)
	if err != nil {
		t.Fatal(err)
	}
	for _, events := range [][]*conversationv1.Event{streamed, whole} {
		answer := wiretest.Assemble(t, events)
		for i, want := range []string{"é0:xz", "1:y"} {
			if got := answer.Choices[i].Message.GetParts()[0].GetText(); got != want {
				t.Errorf("choice %d: %q, want %q", i, got, want)
			}
		}
	}
	if !strings.Contains(string(body), `"text_offset":[3,4]`) || !strings.Contains(string(out), `"text_offset":[4]`) {
		t.Errorf("offsets do not count what is echoed:\n%s\n%s", body, out)
	}
}

// TestPromptFromOtherDialects holds what a gap of another dialect becomes, and
// what is named as dropped.
func TestPromptFromOtherDialects(t *testing.T) {
	t.Parallel()
	suffix := "}"
	user := func(parts ...*conversationv1.ContentPart) *conversationv1.Message {
		return &conversationv1.Message{Role: conversationv1.Role_ROLE_USER, Parts: parts}
	}
	part := func(s string) *conversationv1.ContentPart {
		return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Text{Text: s}}
	}
	for name, c := range map[string]struct {
		turn    *conversationv1.Turn
		options wire.TurnOptions
		body    string
		dropped string
	}{
		"gap": {&conversationv1.Turn{Messages: []*conversationv1.Message{user(part("{"))}, Suffix: &suffix},
			wire.TurnOptions{Model: "m"}, `{"model":"m","prompt":"{","suffix":"}","max_tokens":1024,"stream":false}`, ""},
		"limit": {&conversationv1.Turn{Messages: []*conversationv1.Message{user(part("{"))}, RawPrompt: true},
			wire.TurnOptions{Model: "m", DefaultMaxOutputTokens: 99}, `{"model":"m","prompt":"{","max_tokens":99,"stream":false}`, ""},
		"drops": {&conversationv1.Turn{
			Messages: []*conversationv1.Message{user(part("old")), user(part("a"), part("b"),
				&conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Image{Image: &conversationv1.Image{Url: "data:"}}})},
			Tools: []*conversationv1.Tool{{Name: "t"}}, ExtraWire: conversationv1.Wire_WIRE_OLLAMA_GENERATE, ExtraJson: `{"keep_alive":5}`,
			ResponseFormat: &conversationv1.ResponseFormat{Kind: conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_OBJECT},
		}, wire.TurnOptions{Model: "m"}, `{"model":"m","prompt":"ab","max_tokens":1024,"stream":false}`, "prompt images tools format keep_alive"},
	} {
		body, dropped, err := openai.Completions().EncodeTurn(c.turn, c.options)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.body, string(body)); diff != "" || strings.Join(dropped, " ") != c.dropped {
			t.Errorf("%s: dropped %q\n%s", name, dropped, diff)
		}
	}
	if _, _, err := openai.Completions().EncodeTurn(&conversationv1.Turn{}, wire.TurnOptions{}); fault.From(err).Field() != "turn.messages" {
		t.Error(err)
	}
}

// TestPromptForChat holds that a chat-only provider gets the prompt as a user
// message, and that nothing else is lost in silence.
func TestPromptForChat(t *testing.T) {
	t.Parallel()
	turn, err := openai.Completions().DecodeTurn([]byte(
		`{"prompt":"say","suffix":"end","logprobs":3,"stop":"x","guided":1,"stream":true,"stream_options":{"include_usage":true,"z":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	body, dropped, err := openai.Chat().EncodeTurn(turn, wire.TurnOptions{Model: "m", Stream: true, WantUsage: true})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"model":"m","messages":[{"role":"user","content":"say"}],"stop":["x"],"logprobs":true,"top_logprobs":3,"stream":true,` +
		`"stream_options":{"include_usage":true,"z":1}}`
	if diff := cmp.Diff(want, string(body)); diff != "" || !slices.Equal(dropped, []string{"suffix", "guided"}) {
		t.Error(dropped, diff)
	}
}

// TestFIM holds that Mistral's way asks in one dialect and answers in the other.
func TestFIM(t *testing.T) {
	t.Parallel()
	turn, err := openai.Completions().ScanTurn([]byte(`{"model":"a","prompt":"x","suffix":"y","random_seed":7}`))
	if err != nil {
		t.Fatal(err)
	}
	body, _, err := openai.FIM().EncodeTurn(turn, wire.TurnOptions{Model: "codestral-latest"})
	if err != nil || string(body) != `{"model":"codestral-latest","prompt":"x","suffix":"y","random_seed":7,"stream":false}` {
		t.Error(string(body), err)
	}
	events, err := openai.FIM().DecodeAnswer([]byte(`{"id":"1","model":"codestral","choices":[{"index":0,"message":{"role":"assistant","content":"z"},"finish_reason":"stop"}]}`))
	if err != nil || wiretest.Assemble(t, events).Choices[0].Message.GetParts()[0].GetText() != "z" {
		t.Error(events, err)
	}
}

func FuzzCompletionsTurn(f *testing.F) {
	seeds(f, "completions/turns/*.json")
	codec := openai.Completions()
	options := wire.TurnOptions{Model: "m", Stream: true, WantUsage: true}
	f.Fuzz(func(t *testing.T, body []byte) {
		turn, err := codec.DecodeTurn(body)
		scanned, scanErr := codec.ScanTurn(body)
		if scanErr != nil {
			isFault(t, scanErr)
			if err == nil {
				t.Fatalf("decoded although the scan says %v", scanErr)
			}
			return
		}
		if raw, _, err := codec.EncodeTurn(scanned, options); err != nil || !json.Valid(raw) {
			t.Fatalf("the raw body cannot be sent: %v\n%s", err, raw)
		}
		if rest, _, err := openai.TakeEcho(body); err != nil {
			isFault(t, err)
		} else if !json.Valid(rest) {
			t.Fatalf("not JSON: %s", rest)
		}
		if bodies, _, err := openai.SplitPrompts(body, 4); err == nil && !json.Valid(bodies[0]) {
			t.Fatalf("not JSON: %s", bodies[0])
		}
		if err != nil {
			isFault(t, err)
			return
		}
		first, _, err := codec.EncodeTurn(turn, options)
		if err != nil || !json.Valid(first) {
			t.Fatalf("%v: %s", err, first)
		}
		again, err := codec.DecodeTurn(first)
		if err != nil {
			t.Fatalf("%v\n%s", err, first)
		}
		if second, _, err := codec.EncodeTurn(again, options); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("encoding does not settle: %v\n%s\n%s", err, first, second)
		}
	})
}

func FuzzCompletionsStream(f *testing.F) {
	seeds(f, "completions/streams/*.sse")
	f.Fuzz(func(t *testing.T, data []byte) {
		decoder := openai.Completions().NewStreamDecoder()
		events, err := decoder.Decode(nil, data)
		if err == nil {
			events, err = decoder.End(events)
		}
		if err != nil {
			isFault(t, err)
		}
		var grammar wire.Grammar
		for _, event := range events {
			if err := grammar.Accept(event); err != nil {
				t.Fatal(err)
			}
		}
		out, encodeErr := openai.Completions().NewStreamEncoder(wiretest.Options()).Encode(nil, events)
		if encodeErr != nil {
			t.Fatal(encodeErr)
		}
		for line := range bytes.SplitSeq(out, []byte("\n\n")) {
			if line = bytes.TrimPrefix(line, []byte("data: ")); len(line) > 0 && string(line) != "[DONE]" && !json.Valid(line) {
				t.Fatalf("not JSON: %s", line)
			}
		}
	})
}
