package echo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/services/gpt/provider/echo"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/proto"
)

// run returns the events as short words, one line per chunk.
func run(ctx context.Context, model string, change func(*conversationv1.Turn)) (string, error) {
	turn := &conversationv1.Turn{Stream: true, Messages: []*conversationv1.Message{{
		Role: conversationv1.Role_ROLE_USER, Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: "hello big world"}}},
	}}}
	if change != nil {
		change(turn)
	}
	var out strings.Builder
	var grammar wire.Grammar
	err := echo.New(nil).Generate(ctx, &provider.Call{Turn: turn, Model: model}, func(chunk *conversationv1.Chunk) error {
		for _, event := range chunk.GetEvents() {
			if err := grammar.Accept(event); err != nil {
				return err
			}
			out.WriteString(short(event))
		}
		out.WriteString("|")
		return nil
	})
	return out.String(), err
}

func short(event *conversationv1.Event) string {
	switch kind := event.GetKind().(type) {
	case *conversationv1.Event_Started:
		return "<"
	case *conversationv1.Event_Text:
		return kind.Text.GetText()
	case *conversationv1.Event_Reasoning:
		return "(" + kind.Reasoning.GetText() + ")"
	case *conversationv1.Event_ToolCall:
		return fmt.Sprintf("[%d %s %s%s]", kind.ToolCall.GetIndex(), kind.ToolCall.GetId(), kind.ToolCall.GetName(), kind.ToolCall.GetArgumentsJson())
	case *conversationv1.Event_ChoiceFinished:
		return "." + strings.TrimPrefix(kind.ChoiceFinished.GetReason().String(), "FINISH_REASON_")
	case *conversationv1.Event_Usage:
		return fmt.Sprintf(" %d/%d/%d", kind.Usage.GetInputTokens(), kind.Usage.GetOutputTokens(), kind.Usage.GetReasoningTokens())
	case *conversationv1.Event_Failed:
		return "!"
	}
	return ">"
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for model, want := range map[string]string{
		"echo":                                   "<hello |big |world.STOP 3/3/0>|",
		"echo?chunk=2":                           "<hello big |world.STOP 3/3/0>|",
		"echo?chunk=9&tokens=5&usage=none":       "<hello big world hello big .STOP>|",
		"echo?chunk=9&tokens=1":                  "<hello .STOP 3/1/0>|",
		"echo?chunk=9&reasoning=2&finish=length": "<(thinking )(about )hello big world.LENGTH 3/5/2>|",
		`echo?chunk=9&tool=a,b&args={"x":1}`:     `<[0 call_echo_1 a][0  {"x":1}][1 call_echo_2 b][1  {"x":1}].TOOL_CALLS 3/4/0>|`,
		"echo?fail=after&after=1":                "<hello !|",
		"echo?fail=after":                        "<hello |big !|",
		"echo?fail=after&after=0":                "<!|",
	} {
		got, err := run(t.Context(), model, nil)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", model, got, err, want)
		}
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for model, want := range map[string]string{
		"echo?fail=before":     "PROVIDER_ERROR",
		"echo?fail=429":        "PROVIDER_RATE_LIMITED",
		"echo?fail=401":        "PROVIDER_REFUSED_KEY",
		"echo?fail=truncate":   "STREAM_TRUNCATED",
		"echo?fail=422":        "PROVIDER_REJECTED",
		"echo?fail=what":       "INVALID_FIELD",
		"echo?nothing=1":       "INVALID_FIELD",
		"echo?delay=-1s":       "INVALID_FIELD",
		"echo?tokens=99999999": "INVALID_FIELD",
		"echo?%zz":             "INVALID_FIELD",
	} {
		_, err := run(t.Context(), model, nil)
		if err == nil || fault.ReasonName(fault.From(err).Reason) != want {
			t.Errorf("%s: %v, want %s", model, err, want)
		}
	}
}

func TestObeysTheTurn(t *testing.T) {
	t.Parallel()
	got, err := run(t.Context(), "echo", func(turn *conversationv1.Turn) {
		turn.MaxOutputTokens, turn.Stream = proto.Int64(2), false
	})
	if want := "<hello big .LENGTH 3/2/0>|"; err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	got, _ = run(t.Context(), "echo?chunk=99", func(turn *conversationv1.Turn) {
		turn.ResponseFormat = &conversationv1.ResponseFormat{
			Kind: conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA,
			SchemaJson: `{"type":"object","properties":{"z":{"type":"string"},"n":{"type":"integer","minimum":3},
				"l":{"type":"array","minItems":2,"items":{"enum":["x"]}},"o":{"properties":{"b":{"type":["boolean","null"]}}}}}`,
		}
	})
	text := strings.TrimPrefix(got[:strings.LastIndex(got, "}")+1], "<")
	if want := `{"z": "hello big world", "n": 3, "l": ["x", "x"], "o": {"b": true}}`; text != want || !json.Valid([]byte(text)) {
		t.Error(text)
	}
}

func TestWaitsAndCancels(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		if _, err := run(t.Context(), "echo?first=1s&delay=100ms", nil); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != 1200*time.Millisecond {
			t.Errorf("took %v", took)
		}
		for _, model := range []string{"echo?fail=stall", "echo?fail=stall&after=0", "echo?first=1h", "echo?delay=1h"} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if _, err := run(ctx, model, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", model, err)
			}
			cancel()
		}
	})
}

func TestEmbedsDeterministically(t *testing.T) {
	t.Parallel()
	req := &gptv1.EmbedRequest{Dimensions: proto.Int32(16)}
	for _, text := range []string{"a b c", "a b c", "x y z", ""} {
		req.Inputs = append(req.Inputs, &gptv1.EmbedInput{Kind: &gptv1.EmbedInput_Text{Text: text}})
	}
	resp, err := echo.New(nil).Embed(t.Context(), &provider.EmbedCall{Request: req, Model: "echo"})
	if err != nil {
		t.Fatal(err)
	}
	e := resp.GetEmbeddings()
	if len(e) != 4 || len(e[0].GetValues()) != 16 || !proto.Equal(e[0], e[1]) || proto.Equal(e[0], e[2]) {
		t.Error(e)
	}
}

func FuzzParseOptions(f *testing.F) {
	f.Add("echo?delay=50ms&tokens=200&tool=x&fail=429")
	f.Add("echo?%")
	f.Fuzz(func(t *testing.T, model string) {
		if o, err := echo.ParseOptions(model); err == nil && (o.Chunk < 1 || o.Delay < 0 || o.Tokens < 0) {
			t.Errorf("%+v", o)
		}
	})
}
