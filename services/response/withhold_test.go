package response

import (
	"context"
	"errors"
	"strings"
	"testing"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
)

// guardedWorld is a room whose guard acts; w flags what says "evil".
func guardedWorld(t *testing.T, mode string, change func(*Config)) (*world, *watchman) {
	t.Helper()
	w := open(t, func(c *Config) {
		c.Guard.Mode, c.Guard.Hold = mode, 100
		if change != nil {
			change(c)
		}
	})
	watch := &watchman{}
	w.deps.Classifier = watch
	return w, watch
}

func words(chunks []*conversationv1.Chunk) string {
	var out strings.Builder
	for _, c := range chunks {
		for _, e := range c.GetEvents() {
			out.WriteString(e.GetText().GetText())
		}
	}
	return out.String()
}

func ends(chunks []*conversationv1.Chunk) (reasons []conversationv1.FinishReason) {
	for _, c := range chunks {
		for _, e := range c.GetEvents() {
			if f := e.GetChoiceFinished(); f != nil {
				reasons = append(reasons, f.GetReason())
			}
		}
	}
	return reasons
}

// stream is an answer in pieces of few bytes.
func stream(answer string, size int) script {
	chunks := []*conversationv1.Chunk{typed(started())}
	for rest := answer; rest != ""; {
		n := min(size, len(rest))
		chunks = append(chunks, typed(text(rest[:n])))
		rest = rest[n:]
	}
	return says(append(chunks, typed(stopped(), usage(9), finishedEvent()))...)
}

var (
	plainWords = strings.Repeat("all is well here. ", 20)
	badAnswer  = plainWords + "now do something evil at once. " + plainWords
)

func TestGuardLetsPlainAnswersThrough(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{guardRedact, guardRefuse} {
		w, watch := guardedWorld(t, mode, nil)
		w.model.plays(stream(plainWords, 7))
		chunks, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_plain"})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, words(chunks), plainWords)
		if len(chunks) < 5 {
			t.Errorf("%s: %d chunks: it does not stream", mode, len(chunks))
		}
		got := w.get("resp_plain")
		if got.GetGuard().GetScreened() == 0 || got.GetGuard().GetAction() != 0 || watch.asked < 3 {
			t.Errorf("%s: got %v after %d looks", mode, got.GetGuard(), watch.asked)
		}
		equal(t, got.GetChoices()[0].GetMessage().GetParts()[0].GetText(), plainWords)
	}
}

func TestGuardRedactsAnswers(t *testing.T) {
	t.Parallel()
	for _, size := range []int{3, 11, 5000} { // the last: one piece
		w, _ := guardedWorld(t, guardRedact, nil)
		w.newSession("ses")
		w.model.plays(stream(badAnswer, size))
		chunks, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_bad", SessionId: "ses"})
		if err != nil {
			t.Fatal(err)
		}
		got := words(chunks)
		if strings.Contains(got, "evil") || strings.Count(got, redactedText) != 1 {
			t.Errorf("pieces of %d: got %q", size, got)
		}
		if size < 5000 && (!strings.HasPrefix(got, plainWords[:100]) || !strings.HasSuffix(got, plainWords[len(plainWords)-100:])) {
			t.Errorf("pieces of %d: more than the place was taken out: %q", size, got)
		}
		row := w.get("resp_bad")
		if row.GetGuard().GetAction() != conversationv1.GuardAction_GUARD_ACTION_REDACTED || row.GetUsage().GetOutputTokens() != 9 {
			t.Errorf("got %v", row)
		}
		equal(t, row.GetChoices()[0].GetMessage().GetParts()[0].GetText(), got)
		if strings.Contains(w.story("ses"), "evil") {
			t.Error("the session has what was taken out")
		}
	}
}

// A stream that has begun ends by content_filter; nothing of the place and of
// what follows goes out.
func TestGuardCutsStreams(t *testing.T) {
	t.Parallel()
	w, _ := guardedWorld(t, guardRefuse, nil)
	w.model.plays(stream(badAnswer, 9))
	chunks, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_cut"})
	if err != nil {
		t.Fatal(err)
	}
	got := words(chunks)
	if !strings.HasPrefix(badAnswer, got) || len(got) < 100 || strings.Contains(got, "evil") || strings.Contains(got, "now do") {
		t.Errorf("got %q", got)
	}
	if r := ends(chunks); len(r) != 1 || r[0] != conversationv1.FinishReason_FINISH_REASON_CONTENT_FILTER {
		t.Errorf("got %v", r)
	}
	row := w.get("resp_cut")
	if row.GetState() != responsev1.Response_STATE_COMPLETED || row.GetGuard().GetAction() != conversationv1.GuardAction_GUARD_ACTION_REFUSED ||
		row.GetChoices()[0].GetFinishReason() != conversationv1.FinishReason_FINISH_REASON_CONTENT_FILTER || row.GetUsage().GetOutputTokens() != 9 {
		t.Errorf("got %v", row)
	}
}

// An answer of which nothing has gone out is refused by an error.
func TestGuardRefusesAnswers(t *testing.T) {
	t.Parallel()
	w, _ := guardedWorld(t, guardRefuse, nil)
	for name, s := range map[string]script{
		"resp_whole": stream("this is evil", 5000), "resp_stream": stream("this is evil "+badAnswer, 6),
		"resp_final": says(typed(started(), text("so evil"), stopped(), usage(2), finishedEvent())),
	} {
		w.model.plays(s)
		chunks, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: name})
		equal(t, reason(err), "GUARD_REFUSED")
		if len(chunks) != 0 {
			t.Errorf("%s: got %s", name, show(chunks))
		}
		row := w.get(name)
		if row.GetState() != responsev1.Response_STATE_FAILED || len(row.GetChoices()) != 0 || row.GetGuard().GetAction() != conversationv1.GuardAction_GUARD_ACTION_REFUSED {
			t.Errorf("%s: got %v", name, row)
		}
	}
}

// What is no text keeps its place, and an answer that is raw is asked for in
// events.
func TestGuardKeepsTheOrder(t *testing.T) {
	t.Parallel()
	w, _ := guardedWorld(t, guardRedact, nil)
	w.model.plays(says(typed(started(), thought("hm"), text("so ")), typed(text("be it"), toolCall("call_1")), typed(text(" end")), typed(stopped(), usage(2), finishedEvent())))
	turn := turn()
	turn.AcceptWire = conversationv1.Wire_WIRE_OPENAI_CHAT
	chunks, err := w.generate(t.Context(), &responsev1.GenerateRequest{Turn: turn})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, show(chunks), "1:^(hm) 2:so be it[look] 3: end.#$")
	if at := w.model.last.Load().GetTurn().GetAcceptWire(); at != conversationv1.Wire_WIRE_UNSPECIFIED {
		t.Errorf("asked for %v", at)
	}
}

func TestGuardWithoutAnswer(t *testing.T) {
	t.Parallel()
	open, watch := guardedWorld(t, guardRefuse, nil)
	watch.down = errors.New("down")
	open.model.plays(stream(badAnswer, 50))
	chunks, err := open.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_open"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, words(chunks), badAnswer)
	if got := open.get("resp_open").GetGuard(); got.GetNote() == "" || watch.asked != 1 {
		t.Errorf("got %v after %d looks", got, watch.asked)
	}
	closed, watch := guardedWorld(t, guardRedact, func(c *Config) { c.Guard.FailClosed = true })
	watch.down = errors.New("down")
	closed.model.plays(stream(badAnswer, 50))
	chunks, err = closed.generate(t.Context(), &responsev1.GenerateRequest{})
	equal(t, reason(err), "ROOM_UNAVAILABLE")
	if len(chunks) != 0 {
		t.Errorf("got %s", show(chunks))
	}
}

// Text is held in whole runes, and comes out as it went in.
func TestGuardHoldsRunes(t *testing.T) {
	t.Parallel()
	s := &Service{cfg: DefaultConfig()}
	s.metrics, _ = newMetrics(nil, nil)
	s.cfg.Guard.Mode, s.cfg.Guard.Hold = guardRedact, 100
	s.deps.Classifier = silent{}
	h := (&run{s: s}).withholding()
	answer := strings.Repeat("試しに書く。", 40)
	var got []*conversationv1.Chunk
	for _, r := range answer {
		events, err := h.take(t.Context(), []*conversationv1.Event{text(string(r))})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, typed(events...))
	}
	if held := len(answer) - len(words(got)); held > 100 || held < 40 {
		t.Errorf("%d bytes are held back", held)
	}
	events, err := h.end(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, words(append(got, typed(events...))), answer)
}

// silent finds nothing.
type silent struct {
	classifierv1.ClassifierServiceCaller
}

func (silent) Screen(_ context.Context, req *classifierv1.ScreenRequest) (*classifierv1.ScreenResponse, error) {
	resp := &classifierv1.ScreenResponse{}
	for range req.GetTexts() {
		resp.Risks = append(resp.Risks, &classifierv1.Risk{})
	}
	return resp, nil
}
