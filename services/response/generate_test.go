package response

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
)

func TestEverythingIsCommittedWhenTheEndArrives(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newSession("s1")
	chunks, err := w.generate(t.Context(), &responsev1.GenerateRequest{
		ResponseId: "resp_1", RequestId: "req_1", SessionId: "s1", NewMessages: []*conversationv1.Message{user("hi")},
	}, func(c *conversationv1.Chunk) error {
		r := w.get("resp_1")
		if wire.Last(c) == nil {
			if r.GetState() != responsev1.Response_STATE_RUNNING || w.story("s1") != "" {
				t.Errorf("at %d: %v, session %q", c.GetSequence(), r.GetState(), w.story("s1"))
			}
			return nil
		}
		if r.GetState() != responsev1.Response_STATE_COMPLETED || w.story("s1") != "USER:hi ASSISTANT:Hello" {
			t.Errorf("at the end: %v, session %q", r.GetState(), w.story("s1"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, show(chunks), "1:^Hel 2:lo 3:.#$")
	s := chunks[0].GetEvents()[0].GetStarted()
	equal(t, fmt.Sprint(s.GetResponseId(), s.GetSessionId(), s.GetModel(), s.GetAttemptId(), s.GetCached()), "resp_1s1m-1att_1false")
	r := w.get("resp_1")
	if r.GetUsage().GetOutputTokens() != 2 || r.GetModel() != "m-1" || r.GetLastSequence() != 3 || r.GetChoices()[0].GetMessage().GetId() != "resp_1" ||
		r.GetFirstEventTime() == nil || r.GetFinishTime() == nil || r.GetRequestId() != "req_1" {
		t.Errorf("row: %v", r)
	}
	eventually(t, "the intent is settled", func() bool {
		pending, err := w.store.Pending(t.Context(), time.Now().Add(time.Hour), 9)
		return err == nil && len(pending) == 0
	})
}

func TestRawAnswerPassesUnchanged(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newSession("s1")
	w.model.plays(says(raw("Hel\n", started()), raw("lo\n"), raw(".\n", usage(2), finishedEvent())))
	chunks, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1", SessionId: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, show(chunks), "1:^{Hel} 2:{lo} 3:#${.}")
	equal(t, w.story("s1"), "ASSISTANT:Hello")
	equal(t, w.get("resp_1").GetChoices()[0].GetFinishReason().String(), "FINISH_REASON_STOP")

	w.model.plays(says(raw("He\n", started()), raw("l\ngarbage\n"), raw("lo\n"), raw(".\n", finishedEvent())))
	chunks, err = w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_2"})
	if err != nil || w.get("resp_2").GetState() != responsev1.Response_STATE_COMPLETED {
		t.Fatalf("without a session what cannot be decoded passes: %v %v", show(chunks), err)
	}
	kept := w.get("resp_2").GetChoices()[0]
	equal(t, kept.GetMessage().GetParts()[0].GetText()+" "+kept.GetFinishReason().String(), "Hello FINISH_REASON_STOP")
	chunks, err = w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_3", SessionId: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, show(chunks), "1:^{He} 2:{l\ngarbage} 3:{lo} 4:!PROVIDER_PROTOCOL")
	equal(t, w.story("s1"), "ASSISTANT:Hello")
}

// TestRealDialect assembles what a provider of OpenAI's wire sent, streamed and
// not, and types it for a watcher.
func TestRealDialect(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.deps.Codec = knownCodec
	w.newSession("s1")
	chunk := func(form conversationv1.RawForm, data string, events ...*conversationv1.Event) *conversationv1.Chunk {
		c := raw(data, events...)
		c.Raw.Form = form
		return c
	}
	const sse, whole = conversationv1.RawForm_RAW_FORM_SSE, conversationv1.RawForm_RAW_FORM_JSON
	const head = `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,`
	w.model.plays(says(
		chunk(sse, head+`"delta":{"role":"assistant","content":"Hel"},"finish_reason":null}]}`+"\n\n", started()),
		chunk(sse, head+`"delta":{"content":"lo"},"finish_reason":null}]}`+"\n\n"),
		chunk(sse, head+`"delta":{},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n", usage(2), finishedEvent()),
	))
	if _, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1", SessionId: "s1"}); err != nil {
		t.Fatal(err)
	}
	equal(t, w.story("s1"), "ASSISTANT:Hello")
	equal(t, w.get("resp_1").GetChoices()[0].GetFinishReason().String(), "FINISH_REASON_STOP")
	watched, err := w.watch(t.Context(), "resp_1", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, show(watched), "1:^Hel 2:lo 3:.#$")

	w.model.plays(says(chunk(whole, `{"id":"c1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`,
		started(), usage(1), finishedEvent())))
	if _, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_2", SessionId: "s1"}); err != nil {
		t.Fatal(err)
	}
	equal(t, w.story("s1"), "ASSISTANT:Hello ASSISTANT:Hi")
}

func TestFailures(t *testing.T) {
	t.Parallel()
	boom := fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "boom", "provider", "echo")
	fails := func(err error, chunks ...*conversationv1.Chunk) script {
		return func(ctx context.Context, req *gptv1.GenerateRequest, send func(*conversationv1.Chunk) error) error {
			if err := says(chunks...)(ctx, req, send); err != nil {
				return err
			}
			return err
		}
	}
	for name, c := range map[string]struct {
		model        script
		chunks, fail string
		last         int64
	}{
		"before the first chunk":        {fails(boom), "", "PROVIDER_ERROR", 1},
		"in the first chunk, with text": {says(typed(started(), text("a"), failedEvent(boom))), "", "PROVIDER_ERROR partial", 1},
		"in the first chunk":            {says(typed(started(), failedEvent(boom))), "", "PROVIDER_ERROR", 1},
		"after it, as an event":         {says(typed(started(), text("a")), typed(failedEvent(boom))), "1:^a 2:!PROVIDER_ERROR", "", 2},
		"after it, as a status":         {fails(boom, typed(started(), text("a"))), "1:^a 2:!PROVIDER_ERROR", "", 2},
		"cut off":                       {says(typed(started(), text("a"))), "1:^a 2:!STREAM_TRUNCATED", "", 2},
		"nothing at all":                {says(), "", "STREAM_TRUNCATED", 1},
		"data before the start":         {says(raw("x\n")), "", "PROVIDER_PROTOCOL", 1},
		"event before the start":        {says(typed(text("x"))), "", "PROVIDER_PROTOCOL", 1},
		"second start":                  {says(typed(started(), text("a")), typed(started())), "1:^a 2:!PROVIDER_PROTOCOL", "", 2},
		"after the end":                 {says(typed(started(), text("a")), typed(stopped(), finishedEvent()), typed(text("b"))), "1:^a 2:.!PROVIDER_PROTOCOL", "", 2},
		"plain error":                   {fails(errors.New("secret inside"), typed(started(), text("a"))), "1:^a 2:!INTERNAL", "", 2},
		"empty":                         {says(typed(started()), typed(stopped(), finishedEvent())), "1:^ 2:!EMPTY_ANSWER", "", 2},
		"blank":                         {says(typed(started(), text(" \n"), stopped(), finishedEvent())), "", "EMPTY_ANSWER", 1},
		"thought alone":                 {says(typed(started(), thought("hm"), stopped(), finishedEvent())), "", "EMPTY_ANSWER", 1},
		"blank raw":                     {says(raw(" \n", started()), raw(".\n", finishedEvent())), "1:^{} 2:!EMPTY_ANSWER", "", 2},
		"too large":                     {says(typed(started(), text("a")), typed(text(strings.Repeat("x", 4000)))), "1:^a 2:!TOO_LARGE", "", 2},
		"too large at once":             {says(raw(strings.Repeat("x", 4000), started())), "", "TOO_LARGE", 1},
		"cancelled by the gpt room":     {fails(cancelled(), typed(started(), text("a"))), "1:^a 2:!CANCELLED", "", 2},
		"thought, cut by the limit":     {says(typed(started(), thought("hm"), choiceEnd(conversationv1.FinishReason_FINISH_REASON_LENGTH), finishedEvent())), "1:^(hm).$", "", 1},
		"thought in secret, cut":        {says(typed(started(), choiceEnd(conversationv1.FinishReason_FINISH_REASON_LENGTH), usage(9), finishedEvent())), "1:^.#$", "", 1},
		"filtered":                      {says(typed(started(), choiceEnd(conversationv1.FinishReason_FINISH_REASON_CONTENT_FILTER), finishedEvent())), "1:^.$", "", 1},
		"load":                          {says(typed(started(), choiceEnd(conversationv1.FinishReason_FINISH_REASON_LOAD), finishedEvent())), "1:^.$", "", 1},
		"tool calls alone":              {says(typed(started(), toolCall("c1"), choiceEnd(conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS), finishedEvent())), "1:^[look].$", "", 1},
		"whole answer in its one chunk": {says(typed(started(), text("a"), stopped(), usage(1), finishedEvent())), "1:^a.#$", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t, func(c *Config) { c.MaxAnswerBytes = 2000 })
			w.newSession("s1")
			w.model.plays(c.model)
			chunks, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1", SessionId: "s1", NewMessages: []*conversationv1.Message{user("hi")}})
			equal(t, show(chunks), c.chunks)
			told := reason(err)
			if err != nil && told == "PROVIDER_ERROR" {
				told = strings.TrimSpace(told + " " + fault.From(err).Metadata["outcome"])
			}
			equal(t, told, c.fail)
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Error("the client sees what it must not")
			}
			r := w.get("resp_1")
			if r.GetLastSequence() != c.last {
				t.Errorf("last sequence %d", r.GetLastSequence())
			}
			failed := strings.Contains(c.chunks, "!") || c.fail != ""
			if failed != (r.GetFailure() != nil) || failed == (r.GetState() == responsev1.Response_STATE_COMPLETED) {
				t.Errorf("row: %v", r)
			}
			if failed && w.story("s1") != "" {
				t.Errorf("a failed answer stands in the session: %q", w.story("s1"))
			}
			// The log says the same, started and one end, also where only a status came.
			watched, err := w.watch(t.Context(), "resp_1", 0, conversationv1.Wire_WIRE_OPENAI_CHAT)
			if err != nil {
				t.Fatal(err)
			}
			want := c.chunks
			if c.fail != "" {
				want = "1:^!" + strings.TrimSuffix(c.fail, " partial")
				if strings.HasSuffix(name, "with text") {
					want = "1:^a!" + strings.TrimSuffix(c.fail, " partial")
				}
			}
			equal(t, show(watched), want)
		})
	}
}

func TestClientLeaves(t *testing.T) {
	t.Parallel()
	for _, policy := range []responsev1.DisconnectPolicy{0, responsev1.DisconnectPolicy_DISCONNECT_POLICY_DRAIN, responsev1.DisconnectPolicy_DISCONNECT_POLICY_DETACH} {
		for _, when := range []string{"before the first chunk", "after it"} {
			t.Run(policy.String()+" "+when, func(t *testing.T) {
				t.Parallel()
				w := open(t)
				ctx, leave := context.WithCancel(t.Context())
				reached, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
				w.model.plays(func(ctx context.Context, req *gptv1.GenerateRequest, send func(*conversationv1.Chunk) error) error {
					if when == "after it" {
						if err := send(typed(started(), text("a"))); err != nil {
							return err
						}
					}
					close(reached)
					select {
					case <-ctx.Done():
						ended <- ctx.Err()
						return ctx.Err()
					case <-goOn:
					}
					rest := []*conversationv1.Chunk{typed(stopped(), finishedEvent())}
					if when != "after it" {
						rest = hello()
					}
					ended <- nil
					return says(rest...)(ctx, req, send)
				})
				go func() { <-reached; leave() }()
				_, err := w.generate(ctx, &responsev1.GenerateRequest{ResponseId: "resp_1", OnDisconnect: policy})
				equal(t, reason(err), "CANCELLED")
				if policy == 0 {
					if err := <-ended; !errors.Is(err, context.Canceled) {
						t.Errorf("the model call ended with %v", err)
					}
					r := w.get("resp_1")
					equal(t, r.GetState().String(), "STATE_CANCELLED")
					if when == "after it" {
						equal(t, r.GetChoices()[0].GetMessage().GetParts()[0].GetText(), "a")
					}
					return
				}
				r := w.runningHere("local", "resp_1")
				if r == nil {
					t.Fatal("it does not run on")
				}
				close(goOn)
				watched, err := w.watch(t.Context(), "resp_1", 0, 0)
				<-r.done.Opened()
				if err != nil || !strings.HasSuffix(show(watched), "$") {
					t.Fatalf("%s, %v", show(watched), err)
				}
				equal(t, w.get("resp_1").GetState().String(), "STATE_COMPLETED")
			})
		}
	}
}

func TestDeadlineSaysWhere(t *testing.T) {
	t.Parallel()
	w := open(t)
	reached := make(chan struct{}, 16) // one for each limit that is tried
	w.model.plays(func(ctx context.Context, _ *gptv1.GenerateRequest, _ func(*conversationv1.Chunk) error) error {
		reached <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	for limit := 20 * time.Millisecond; len(reached) == 0; limit *= 2 {
		if limit > 20*time.Second {
			t.Fatal("the model was never asked")
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		_, err := w.generate(ctx, &responsev1.GenerateRequest{ResponseId: "resp_" + limit.String()})
		cancel()
		equal(t, reason(err), "DEADLINE_EXCEEDED")
		if len(reached) > 0 { // before the time ran out
			r := w.get("resp_" + limit.String())
			equal(t, r.GetState().String()+r.GetFailure().GetMetadata()["room"], "STATE_FAILEDgpt")
		}
	}
}

func TestTakenIDEndsTheCall(t *testing.T) {
	t.Parallel()
	w := open(t)
	if _, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1"}); err != nil {
		t.Fatal(err)
	}
	chunks, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1"})
	if len(chunks) != 0 || reason(err) != "ALREADY_EXISTS" {
		t.Fatalf("%s %v", show(chunks), err)
	}
	equal(t, w.get("resp_1").GetState().String(), "STATE_COMPLETED")
}

func TestPostProcessingAsksForTypedEvents(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.model.plays(says(typed(started(), text("<think>hm</think>Sure: ")), typed(text("```json\n{\"a\":1}\n```")), typed(stopped(), usage(3), finishedEvent())))
	in := turn()
	in.AcceptWire = conversationv1.Wire_WIRE_OPENAI_CHAT
	chunks, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1", Turn: in, PostProcessing: &responsev1.PostProcessing{
		Format: responsev1.PostProcessing_FORMAT_JSON, Reasoning: responsev1.PostProcessing_REASONING_STRIP,
	}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, show(chunks), `1:^ 2:#{"a":1}.$`)
	equal(t, w.get("resp_1").GetJsonOutput(), `{"a":1}`)
	if got := w.model.last.Load().GetTurn().GetAcceptWire(); got != 0 || in.GetAcceptWire() == 0 {
		t.Errorf("asked for %v, the request says %v", got, in.GetAcceptWire())
	}

	w.model.plays(says(typed(started(), text("no json")), typed(stopped(), finishedEvent())))
	chunks, err = w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_2", PostProcessing: &responsev1.PostProcessing{Format: responsev1.PostProcessing_FORMAT_JSON}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, show(chunks), "1:^ 2:!INVALID_JSON_ANSWER")
	calls := w.model.calls.Load()
	_, err = w.generate(t.Context(), &responsev1.GenerateRequest{PostProcessing: &responsev1.PostProcessing{Redactions: []*responsev1.RedactionRule{{Name: "x", Pattern: "("}}}})
	if fault.From(err).Field() != "post_processing.redactions[0].pattern" || w.model.calls.Load() != calls {
		t.Errorf("%v", err)
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newSession("s1")
	ask := func(id string, change func(*responsev1.GenerateRequest)) string {
		t.Helper()
		req := &responsev1.GenerateRequest{ResponseId: id, Turn: turn(), SessionId: "s1", Cache: &responsev1.CachePolicy{Ttl: durationpb.New(time.Minute)}}
		if change != nil {
			change(req)
		}
		chunks, err := w.generate(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, fmt.Sprint(w.get(id).GetCached()), fmt.Sprint(chunks[0].GetEvents()[0].GetStarted().GetCached()))
		equal(t, chunks[0].GetEvents()[0].GetStarted().GetResponseId(), id)
		return fmt.Sprint(w.model.calls.Load(), " ", show(chunks), " ", w.get(id).GetUsage().GetOutputTokens())
	}
	const answer = " 1:^Hel 2:lo 3:.#$ 2"
	equal(t, ask("resp_1", nil), "1"+answer)
	equal(t, ask("resp_2", func(r *responsev1.GenerateRequest) { r.Turn.Messages[0].Id = "msg_7" }), "1"+answer)
	equal(t, ask("resp_3", func(r *responsev1.GenerateRequest) { r.Turn.Messages[0] = user("other") }), "2"+answer)
	equal(t, ask("resp_4", func(r *responsev1.GenerateRequest) { r.Cache = nil }), "3"+answer)
	equal(t, ask("resp_5", func(r *responsev1.GenerateRequest) {
		r.PostProcessing = &responsev1.PostProcessing{Reasoning: responsev1.PostProcessing_REASONING_STRIP}
	}), "4"+answer)
	if n := strings.Count(w.story("s1"), "ASSISTANT"); n != 5 {
		t.Errorf("%d answers in the session", n)
	}
}

func TestSessionTroubles(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newSession("s1")
	req := func(id string) *responsev1.GenerateRequest {
		return &responsev1.GenerateRequest{ResponseId: id, SessionId: "s1", NewMessages: []*conversationv1.Message{user("hi " + id)}}
	}
	// The room is away: the answer is whole, the session gets it soon, once.
	w.session.Fail("AppendMessages", fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_ROOM_UNAVAILABLE, "away"))
	chunks, err := w.generate(t.Context(), req("a"))
	if err != nil || !strings.HasSuffix(show(chunks), "$") {
		t.Fatal(show(chunks), err)
	}
	w.appendLeft(time.Now().Add(time.Hour))
	w.appendLeft(time.Now().Add(time.Hour))
	equal(t, w.story("s1"), "USER:hi a ASSISTANT:Hello")

	// It has ended meanwhile: the answer stays, and the row says why.
	w.model.plays(func(ctx context.Context, r *gptv1.GenerateRequest, send func(*conversationv1.Chunk) error) error {
		if _, err := w.session.EndSession(ctx, &sessionv1.EndSessionRequest{SessionId: "s1"}); err != nil {
			return err
		}
		return says(hello()...)(ctx, r, send)
	})
	chunks, err = w.generate(t.Context(), req("b"))
	if err != nil || !strings.HasSuffix(show(chunks), "$") {
		t.Fatal(show(chunks), err)
	}
	equal(t, w.story("s1"), "USER:hi a ASSISTANT:Hello")
	record, err := w.store.Get(t.Context(), "local", "b")
	if err != nil || record.Response.GetState() != responsev1.Response_STATE_COMPLETED || !strings.Contains(record.SessionNote, "SESSION_ENDED") {
		t.Fatalf("%+v %v", record, err)
	}
}
