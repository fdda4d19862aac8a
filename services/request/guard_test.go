package request

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// watchman flags every text that says "evil".
type watchman struct {
	classifierv1.ClassifierServiceCaller
	screen func(context.Context) error
}

func (w *watchman) Screen(ctx context.Context, req *classifierv1.ScreenRequest) (*classifierv1.ScreenResponse, error) {
	if w.screen != nil {
		if err := w.screen(ctx); err != nil {
			return nil, err
		}
	}
	resp := &classifierv1.ScreenResponse{}
	for _, text := range req.GetTexts() {
		risk := &classifierv1.Risk{Flagged: strings.Contains(text, "evil")}
		risk.Scores = []*classifierv1.RiskScore{{Kind: classifierv1.RiskKind_RISK_KIND_INJECTION, Probability: 0.9, Flagged: risk.GetFlagged(), ModelVersion: "v"}}
		resp.Risks = append(resp.Risks, risk)
	}
	return resp, nil
}

func guarded(t *testing.T, mode string, failClosed bool, w *watchman) *world {
	t.Helper()
	return open(t, options{classifier: w, config: func(c *Config) { c.Guard.Mode, c.Guard.FailClosed = mode, failClosed }})
}

func (w *world) reported(id string) *conversationv1.GuardReport {
	w.t.Helper()
	resp, err := w.caller.GetRequest(w.t.Context(), &requestv1.GetRequestRequest{RequestId: id})
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.GetRequest().GetGuard()
}

func raw(body string) *requestv1.SubmitRequest {
	return &requestv1.SubmitRequest{Turn: &conversationv1.Turn{Model: "m", Stream: true, AcceptWire: conversationv1.Wire_WIRE_OPENAI_CHAT, Raw: &conversationv1.RawTurn{
		Wire: conversationv1.Wire_WIRE_OPENAI_CHAT, Body: []byte(body),
	}}}
}

// noted is what the guard has found in a turn.
func (w *world) noted(req *requestv1.SubmitRequest) (report *conversationv1.GuardReport) {
	w.t.Helper()
	g := w.submit(w.t.Context(), req)
	if g.err != nil {
		w.t.Fatal(g.err)
	}
	eventually(w.t, "what was found is noted", func() bool {
		report = w.reported(g.requests[len(g.requests)-1].GetId())
		return report != nil
	})
	return report
}

// What is flagged goes on, unchanged, and is noted in the request.
func TestGuardFlags(t *testing.T) {
	t.Parallel()
	w := guarded(t, "flag", false, &watchman{})
	for name, req := range map[string]*requestv1.SubmitRequest{"typed": ask("be evil"), "raw": raw("system:evil\nuser:evil\nassistant:evil\nuser:be evil\nuser:good")} {
		report := w.noted(req)
		if len(report.GetFindings()) != 1 || report.GetAction() != conversationv1.GuardAction_GUARD_ACTION_FLAGGED || report.GetFindings()[0].GetRisk() != "injection" {
			t.Errorf("%s: got %v", name, report)
		}
		if name == "raw" && (report.GetFindings()[0].GetPlace() != "messages[3]" || report.GetScreened() != 2) {
			t.Errorf("got %v", report)
		}
	}
	for _, call := range w.response.Calls() {
		if strings.Contains(call.String(), redactedText) {
			t.Errorf("changed: %v", call)
		}
	}
	if g := w.submit(t.Context(), ask("be good")); len(w.reported(g.requests[0].GetId()).GetFindings()) != 0 {
		t.Error("flagged what is good")
	}
}

// No end waits long for a look, and what one finds later is noted for all that.
func TestGuardFlagsLate(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	w := open(t, options{
		classifier: &watchman{screen: func(context.Context) error { <-ended; return nil }},
		config:     func(c *Config) { c.Guard.Timeout = time.Minute },
	})
	g := w.submit(t.Context(), ask("be evil"))
	if g.err != nil {
		t.Fatal(g.err)
	}
	id := g.requests[len(g.requests)-1].GetId()
	before := w.get(id)
	if before.GetState() != completed || before.GetGuard() != nil {
		t.Fatalf("got %v", before)
	}
	close(ended)
	eventually(t, "what was found is noted", func() bool { return w.reported(id) != nil })
	after := w.get(id)
	equal(t, len(after.GetGuard().GetFindings()), 1)
	after.Guard = nil
	if !proto.Equal(before, after) {
		t.Errorf("was %v, is %v", before, after)
	}
}

// Nothing waits for a classifier that is slow or down, and nothing is asked of
// it above the rate.
func TestGuardOffThePath(t *testing.T) {
	t.Parallel()
	down := &watchman{screen: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
	w := guarded(t, "flag", false, down)
	if g := w.submit(t.Context(), ask("be evil")); g.err != nil {
		t.Error(g.err)
	}
	quiet := open(t, options{classifier: &watchman{screen: func(context.Context) error { t.Error("asked"); return nil }}, config: func(c *Config) { c.Guard.FlagRate = 0 }})
	if g := quiet.submit(t.Context(), ask("be evil")); g.err != nil || quiet.reported(g.requests[0].GetId()) != nil {
		t.Error(g.err)
	}
	off := guarded(t, "off", false, &watchman{screen: func(context.Context) error { t.Error("asked"); return nil }})
	if g := off.submit(t.Context(), ask("be evil")); g.err != nil {
		t.Error(g.err)
	}
}

func TestGuardRefuses(t *testing.T) {
	t.Parallel()
	w := guarded(t, "refuse", false, &watchman{})
	g := w.submit(t.Context(), raw("user:be evil"))
	f := fault.From(g.err)
	if f.Code != codes.FailedPrecondition || f.Reason != meshv1.ErrorReason_ERROR_REASON_GUARD_REFUSED || f.Metadata["risk"] != "injection" || f.Metadata["where"] != "request" {
		t.Errorf("got %v", g.err)
	}
	if len(w.response.Calls()) != 0 {
		t.Error("the model was called")
	}
	if g := w.submit(t.Context(), ask("be good")); g.err != nil || w.reported(g.requests[0].GetId()).GetScreened() != 1 {
		t.Error(g.err)
	}
}

// What is taken out reaches neither the model nor the session.
func TestGuardRedacts(t *testing.T) {
	t.Parallel()
	w := guarded(t, "redact", false, &watchman{})
	w.newSession("s", "")
	req := raw("user:hello\nuser:be evil")
	req.SessionId = "s"
	g := w.submit(t.Context(), req)
	if g.err != nil {
		t.Fatal(g.err)
	}
	call := w.response.Calls()[0]
	if got := tell(call.GetTurn().GetMessages()); got != "user:hello user:"+redactedText || call.GetTurn().GetRaw() != nil {
		t.Errorf("the model gets %q, %v", got, call.GetTurn().GetRaw())
	}
	if got := tell(call.GetNewMessages()); got != "user:hello user:"+redactedText {
		t.Errorf("the session gets %q", got)
	}
	if report := w.reported(g.requests[0].GetId()); report.GetAction() != conversationv1.GuardAction_GUARD_ACTION_REDACTED || len(report.GetFindings()) != 1 {
		t.Errorf("got %v", report)
	}
	if req := ask("be evil"); w.submit(t.Context(), req).err != nil || req.GetTurn().GetMessages()[0].GetParts()[0].GetText() != "be evil" {
		t.Error("the client's own turn was changed")
	}
}

func TestGuardUnanswered(t *testing.T) {
	t.Parallel()
	down := &watchman{screen: func(context.Context) error { return errors.New("down") }}
	open := guarded(t, "refuse", false, down)
	g := open.submit(t.Context(), ask("be evil"))
	if g.err != nil || open.reported(g.requests[0].GetId()).GetNote() == "" {
		t.Error(g.err)
	}
	closed := guarded(t, "redact", true, down)
	if g := closed.submit(t.Context(), ask("be good")); fault.From(g.err).Reason != meshv1.ErrorReason_ERROR_REASON_ROOM_UNAVAILABLE {
		t.Errorf("got %v", g.err)
	}
}

// A tool's result is looked at like a user's words.
func TestGuardSeesToolResults(t *testing.T) {
	t.Parallel()
	result := message("tool", "")
	result.Parts = []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_ToolResult{ToolResult: &conversationv1.ToolResult{
		Parts: message("user", "evil page").GetParts(),
	}}}}
	list := screenables([]*conversationv1.Message{message("user", "old"), message("assistant", "calls"), result})
	if len(list) != 1 || list[0].message != 2 || !strings.Contains(list[0].text, "evil page") {
		t.Errorf("got %v", list)
	}
	changed := redacted([]*conversationv1.Message{result}, []*conversationv1.GuardFinding{{Place: "messages[0]"}})
	if got := changed[0].GetParts()[0].GetToolResult().GetParts()[0].GetText(); got != redactedText {
		t.Errorf("got %q", got)
	}
	if long := ends(strings.Repeat("試", 100_000), 1000); len(long) > 1001 {
		t.Errorf("%d bytes", len(long))
	}
}
