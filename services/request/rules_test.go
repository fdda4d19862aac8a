package request

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

func TestTransitions(t *testing.T) {
	t.Parallel()
	states := []requestv1.Request_State{0, accepted, running, completed, failed, cancelled, interrupted}
	want := map[string]bool{}
	for _, pair := range []string{
		"ACCEPTED-RUNNING", "ACCEPTED-FAILED", "ACCEPTED-CANCELLED", "ACCEPTED-INTERRUPTED",
		"RUNNING-COMPLETED", "RUNNING-FAILED", "RUNNING-CANCELLED", "RUNNING-INTERRUPTED",
	} {
		want[pair] = true
	}
	for _, from := range states {
		for _, to := range states {
			pair := strings.ReplaceAll(from.String()+"-"+to.String(), "STATE_", "")
			if legal(from, to) != want[pair] {
				t.Errorf("%s: %v", pair, legal(from, to))
			}
		}
		if final(from) != (from >= completed) || final(from) && len(transitions[from]) > 0 {
			t.Errorf("%v", from)
		}
	}
}

func TestRefusalsNameTheField(t *testing.T) {
	t.Parallel()
	w := open(t, options{config: func(c *Config) { c.MaxTurnBytes, c.Bounds.MaxOutputTokens = 5000, 1000 }})
	part := func(kind any) *conversationv1.ContentPart {
		p := &conversationv1.ContentPart{}
		switch kind := kind.(type) {
		case *conversationv1.ToolCall:
			p.Kind = &conversationv1.ContentPart_ToolCall{ToolCall: kind}
		case *conversationv1.ToolResult:
			p.Kind = &conversationv1.ContentPart_ToolResult{ToolResult: kind}
		}
		return p
	}
	add := func(role conversationv1.Role, parts ...*conversationv1.ContentPart) func(*requestv1.SubmitRequest) {
		return func(r *requestv1.SubmitRequest) {
			r.Turn.Messages = append(r.Turn.Messages, &conversationv1.Message{Role: role, Parts: parts})
		}
	}
	sampling := func(s *conversationv1.Sampling) func(*requestv1.SubmitRequest) {
		return func(r *requestv1.SubmitRequest) { r.Turn.Sampling = s }
	}
	for field, change := range map[string]func(*requestv1.SubmitRequest){
		"turn":                                     func(r *requestv1.SubmitRequest) { r.Turn = nil },
		"turn.messages":                            func(r *requestv1.SubmitRequest) { r.Turn.Messages = nil },
		"turn.messages[0].parts":                   func(r *requestv1.SubmitRequest) { r.Turn.Messages[0] = message("user", " \n\t ") },
		"turn.messages[1].parts":                   add(conversationv1.Role_ROLE_ASSISTANT),
		"turn.messages[1].role":                    add(0, &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Text{Text: "a"}}),
		"turn.messages[1].parts[0]":                add(conversationv1.Role_ROLE_TOOL, &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Refusal{Refusal: "a"}}),
		"turn.sampling.temperature":                sampling(&conversationv1.Sampling{Temperature: proto.Float64(1.2)}),
		"turn.sampling.top_p":                      sampling(&conversationv1.Sampling{TopP: proto.Float64(1.1)}),
		"turn.max_output_tokens":                   func(r *requestv1.SubmitRequest) { r.Turn.MaxOutputTokens = proto.Int64(1001) },
		"timeout":                                  func(r *requestv1.SubmitRequest) { r.Timeout = durationpb.New(48 * time.Hour) },
		"turn.raw.body":                            func(r *requestv1.SubmitRequest) { r.Turn.Raw = &conversationv1.RawTurn{Wire: 1} },
		"turn.raw.wire":                            func(r *requestv1.SubmitRequest) { r.Turn.Raw = &conversationv1.RawTurn{Wire: 3, Body: []byte("{}")} },
		"turn.messages[1].parts[0].tool_call":      add(conversationv1.Role_ROLE_USER, part(&conversationv1.ToolCall{Id: "1", Name: "x"})),
		"turn.messages[1].parts[0].tool_call.name": add(conversationv1.Role_ROLE_ASSISTANT, part(&conversationv1.ToolCall{Id: "1"})),
		"turn.messages[1].parts[0].tool_result":    add(conversationv1.Role_ROLE_USER, part(&conversationv1.ToolResult{ToolCallId: "1"})),
		"turn.messages[1].parts[0].tool_result.tool_call_id":  add(conversationv1.Role_ROLE_TOOL, part(&conversationv1.ToolResult{})),
		"turn.messages[1].parts[0].tool_result.tool_call_id ": add(conversationv1.Role_ROLE_TOOL, part(&conversationv1.ToolResult{ToolCallId: "nobody"})),
	} {
		req := ask("hi")
		change(req)
		g := w.submit(t.Context(), req)
		if f := fault.From(g.err); f == nil || f.Code.String() != "InvalidArgument" || f.Field() != strings.TrimSpace(field) {
			t.Errorf("%s: %v", field, g.err)
		}
	}
	for _, change := range []func(*requestv1.SubmitRequest){
		func(r *requestv1.SubmitRequest) { r.Turn.Messages[0] = message("user", strings.Repeat("x", 6000)) },
		func(r *requestv1.SubmitRequest) {
			r.Turn.Raw = &conversationv1.RawTurn{Wire: 1, Body: make([]byte, 6000)}
		},
	} {
		req := ask("hi")
		change(req)
		equal(t, w.submit(t.Context(), req), "error:TOO_LARGE")
	}
	if n := len(w.response.Calls()); n != 0 {
		t.Fatalf("%d refused turns were answered", n)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	w := open(t, options{})
	for temperature, warned := range map[float64]bool{0: true, 0.1: true, 0.2: false, 0.7: false, 0.8: false, 0.9: true, 1: true} {
		req := ask("hi")
		req.Turn.Sampling = &conversationv1.Sampling{Temperature: proto.Float64(temperature)}
		g := w.submit(t.Context(), req)
		equal(t, g, hello)
		if got := len(g.requests[0].GetWarnings()) > 0; got != warned {
			t.Errorf("%v: %v", temperature, g.requests[0].GetWarnings())
		}
	}
	req := ask("hi")
	req.Turn.Sampling = &conversationv1.Sampling{Temperature: proto.Float64(1.7)}
	req.WireBounds = conversationv1.Wire_WIRE_OPENAI_CHAT
	g := w.submit(t.Context(), req)
	equal(t, g, hello)
	equal(t, len(g.requests[0].GetWarnings()), 0)
}

func TestJoin(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stored, turn string
		omitted      int64
		asked, added string
		raw          bool // what came raw stays raw
	}{
		"empty session":             {"", "user:a", 0, "user:a", "user:a", true},
		"empty, with system":        {"", "system:s user:a", 0, "system:s user:a", "system:s user:a", true},
		"history before":            {"user:a assistant:b", "user:c", 0, "user:a assistant:b user:c", "user:c", false},
		"continues":                 {"user:a assistant:b", "user:a assistant:b user:c", 0, "user:a assistant:b user:c", "user:c", true},
		"continues, system stored":  {"system:s user:a", "user:a user:c", 0, "system:s user:a user:c", "user:c", false},
		"continues, same system":    {"system:s user:a", "system:s user:a user:c", 0, "system:s user:a user:c", "user:c", true},
		"system replaced":           {"system:s user:a", "system:t user:c", 0, "system:t user:a user:c", "user:c", false},
		"system added":              {"user:a", "system:t user:c", 0, "system:t user:a user:c", "system:t user:c", false},
		"differs":                   {"user:a assistant:b", "user:a assistant:x user:c", 0, "user:a assistant:b user:a assistant:x user:c", "user:a assistant:x user:c", false},
		"newest part only":          {"user:b assistant:c", "user:0 user:b assistant:c user:d", 3, "user:0 user:b assistant:c user:d", "user:d", true},
		"newest part, not the same": {"user:b assistant:c", "user:d", 3, "user:b assistant:c user:d", "user:d", false},
		"nothing fits":              {"", "user:d", 3, "user:d", "user:d", true},
		"all of it, nothing new":    {"user:a assistant:b", "user:a assistant:b", 0, "user:a assistant:b", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stored := &sessionv1.GetContextResponse{Messages: messages(c.stored), OmittedCount: c.omitted}
			typed := &conversationv1.Turn{Model: "m", Messages: messages(c.turn)}
			out, err := join(typed, typed, stored)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, tell(out.turn.GetMessages()), c.asked)
			equal(t, tell(out.newMessages), c.added)

			s := &Service{cfg: DefaultConfig(), deps: Deps{Codec: codec}}
			raw := &conversationv1.Turn{
				Model: "m", Stream: true, AcceptWire: 1, HasTools: true,
				Raw: &conversationv1.RawTurn{Wire: 1, Body: []byte(strings.ReplaceAll(c.turn, " ", "\n"))},
			}
			decoded, err := s.decode(raw)
			if err != nil {
				t.Fatal(err)
			}
			if out, err = join(raw, decoded, stored); err != nil {
				t.Fatal(err)
			}
			equal(t, tell(out.newMessages), c.added)
			equal(t, out.turn.GetRaw() != nil, c.raw)
			if !c.raw {
				equal(t, tell(out.turn.GetMessages()), c.asked)
				equal(t, fmt.Sprintf("%v %v %v %v", out.turn.GetModel(), out.turn.GetStream(), out.turn.GetAcceptWire(), out.turn.GetHasTools()), "m true WIRE_OPENAI_CHAT true")
			}
		})
	}
}

// classifier answers with one complexity, or hangs.
type classifier struct {
	classifierv1.ClassifierServiceCaller
	complexity classifierv1.Complexity
	hang       bool
}

func (c *classifier) Classify(ctx context.Context, _ *classifierv1.ClassifyRequest) (*classifierv1.ClassifyResponse, error) {
	if c.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &classifierv1.ClassifyResponse{Classification: &classifierv1.Classification{
		TaskType: classifierv1.TaskType_TASK_TYPE_BUG_FIX, Complexity: c.complexity, Confidence: 0.9,
		Tier: classifierv1.Tier_TIER_HEURISTIC, Reason: "word: fix",
	}}, nil
}

func TestAuto(t *testing.T) {
	t.Parallel()
	all := Auto{Simple: "small", Medium: "mid", Complex: "big", Default: "std"}
	const simple, complex = classifierv1.Complexity_COMPLEXITY_SIMPLE, classifierv1.Complexity_COMPLEXITY_COMPLEX
	for name, c := range map[string]struct {
		auto       Auto
		classifier *classifier
		text       string
		model      string
		reason     string
		best       string
	}{
		"simple":          {all, &classifier{complexity: simple}, "fix the typo please", "small", "the classifier says simple", "small"},
		"complex":         {all, &classifier{complexity: complex}, "fix the typo please", "big", "the classifier says complex", "big"},
		"no such target":  {Auto{Simple: "small", Default: "std"}, &classifier{complexity: complex}, "fix the typo please", "std", "the classifier says complex", "std"},
		"no target fits":  {Auto{Simple: "small"}, &classifier{complexity: complex}, "fix the typo please", "", "no target fits", "small"},
		"too slow":        {all, &classifier{hang: true}, "fix the typo please", "std", "did not answer in time", "std"},
		"none":            {all, nil, "fix the typo please", "std", "there is no classifier", "std"},
		"too short":       {all, &classifier{complexity: simple}, "hi", "std", "too short", "std"},
		"nothing is said": {Auto{}, &classifier{complexity: simple}, "fix the typo please", "", "no target fits", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := time.Minute
			if c.classifier != nil && c.classifier.hang {
				limit = 20 * time.Millisecond
			}
			o := options{config: func(cfg *Config) { cfg.Auto, cfg.ClassifierTimeout, cfg.ClassifierWarmup = c.auto, limit, 0 }}
			if c.classifier != nil {
				o.classifier = c.classifier
			}
			w := open(t, o)
			req := ask(c.text)
			req.Turn.Model = "auto"
			g := w.submit(t.Context(), req)
			equal(t, g, hello)
			d := g.requests[0].GetDecision()
			chosen := c.model
			if chosen == "" {
				chosen = "m-1" // the model that answered
			}
			equal(t, fmt.Sprint(d.GetRequestedModel(), " ", d.GetPolicy(), " ", d.GetModel()), "auto auto "+chosen)
			equal(t, w.response.Calls()[0].GetTurn().GetModel(), c.model)
			if !strings.Contains(d.GetReason(), c.reason) {
				t.Errorf("reason %q", d.GetReason())
			}
			best := ""
			if len(d.GetCandidates()) > 0 {
				best = d.GetCandidates()[0].GetModel()
			}
			equal(t, best, c.best)
			equal(t, req.GetTurn().GetModel(), "auto") // a request is read-only
		})
	}
}

func TestConfigNamesTheKey(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	cfg.Bounds.TemperatureMax, cfg.KeyLifetime = 3, 0
	err := cfg.Validate()
	if err == nil || !strings.Contains(err.Error(), "bounds.temperature_max") || !strings.Contains(err.Error(), "key_lifetime") {
		t.Fatal(err)
	}
}

// Screen finds nothing.
func (classifier) Screen(_ context.Context, req *classifierv1.ScreenRequest) (*classifierv1.ScreenResponse, error) {
	resp := &classifierv1.ScreenResponse{}
	for range req.GetTexts() {
		resp.Risks = append(resp.Risks, &classifierv1.Risk{})
	}
	return resp, nil
}
