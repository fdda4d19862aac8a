package response

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/page"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/response/internal/answerlog"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"github.com/gptmesh/gptmesh/services/session/sessiontest"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestWatchFromAnySequence(t *testing.T) {
	t.Parallel()
	w := open(t)
	step := make(chan struct{})
	w.model.plays(func(ctx context.Context, req *gptv1.GenerateRequest, send func(*conversationv1.Chunk) error) error {
		if err := send(raw("0\n", started())); err != nil {
			return err
		}
		for i := 1; i < 6; i++ {
			<-step
			if err := send(raw(fmt.Sprint(i, "\n"))); err != nil {
				return err
			}
		}
		<-step
		return send(raw(".\n", usage(6), finishedEvent()))
	})
	first := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1"}, func(c *conversationv1.Chunk) error {
			if c.GetSequence() == 1 {
				close(first)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-first
	const asRaw = "1:^{0} 2:{1} 3:{2} 4:{3} 5:{4} 6:{5} 7:#${.}"
	const asTyped = "1:^0 2:1 3:2 4:3 5:4 6:5 7:.#$"
	suffix := func(whole string, after int) string { return strings.Join(strings.Split(whole, " ")[after:], " ") }
	for after := range 8 {
		for accept, whole := range map[conversationv1.Wire]string{
			conversationv1.Wire_WIRE_OPENAI_CHAT: asRaw, 0: asTyped, conversationv1.Wire_WIRE_OLLAMA_CHAT: asTyped,
		} {
			all.Go(func() {
				got, err := w.watch(t.Context(), "resp_1", int64(after), accept)
				if err != nil || show(got) != suffix(whole, after) {
					t.Errorf("live after %d in %v: %s %v", after, accept, show(got), err)
				}
			})
		}
	}
	// One that never reads holds up nobody.
	slow, leave := context.WithCancel(t.Context())
	all.Go(func() {
		err := w.caller.WatchResponse(slow, &responsev1.WatchResponseRequest{ResponseId: "resp_1"},
			func(*responsev1.WatchResponseResponse) error { <-slow.Done(); return errors.New("late") })
		if err == nil {
			t.Error("the slow one ended well")
		}
	})
	for range 6 {
		step <- struct{}{}
	}
	w.awaitEnd("resp_1")
	leave()
	all.Wait()
	for after := range 8 {
		got, err := w.watch(t.Context(), "resp_1", int64(after), conversationv1.Wire_WIRE_OPENAI_CHAT)
		if err != nil || show(got) != suffix(asRaw, after) {
			t.Errorf("ended, after %d: %s %v", after, show(got), err)
		}
	}
	_, err := w.watch(t.Context(), "resp_1", 8, 0)
	equal(t, reason(err), "SEQUENCE_GONE")
	_, err = w.watch(t.Context(), "resp_2", 0, 0)
	equal(t, reason(err), "RESPONSE_NOT_FOUND")
}

func (w *world) awaitEnd(id string) {
	if r := w.runningHere("local", id); r != nil {
		<-r.done.Opened()
	}
}

// waits is a model that sends one chunk and then waits to be ended.
func waits(reached chan<- struct{}) script {
	return func(ctx context.Context, _ *gptv1.GenerateRequest, send func(*conversationv1.Chunk) error) error {
		if err := send(typed(started(), text("a"))); err != nil {
			return err
		}
		reached <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
}

func TestCancelAndDelete(t *testing.T) {
	t.Parallel()
	w := open(t)
	reached := make(chan struct{}, 9)
	w.model.plays(waits(reached))
	run := func(id string, policy responsev1.DisconnectPolicy) <-chan string {
		out := make(chan string, 1)
		go func() {
			chunks, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: id, OnDisconnect: policy})
			out <- show(chunks) + reason(err)
		}()
		<-reached
		return out
	}
	for i, policy := range []responsev1.DisconnectPolicy{0, responsev1.DisconnectPolicy_DISCONNECT_POLICY_DETACH} {
		id := fmt.Sprint("resp_", i)
		out := run(id, policy)
		you := callctx.With(t.Context(), callctx.Call{Principal: callctx.Principal{ID: "you"}})
		_, err := w.caller.CancelResponse(you, &responsev1.CancelResponseRequest{ResponseId: id})
		equal(t, reason(err), "RESPONSE_NOT_FOUND")
		resp, err := w.caller.CancelResponse(t.Context(), &responsev1.CancelResponseRequest{ResponseId: id})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, resp.GetResponse().GetState().String(), "STATE_CANCELLED")
		equal(t, <-out, "1:^a 2:!CANCELLED")
		if resp, err = w.caller.CancelResponse(t.Context(), &responsev1.CancelResponseRequest{ResponseId: id}); err != nil || resp.GetResponse().GetState() != responsev1.Response_STATE_CANCELLED {
			t.Fatal(resp, err)
		}
	}
	out := run("resp_9", 0)
	if _, err := w.caller.DeleteResponse(t.Context(), &responsev1.DeleteResponseRequest{ResponseId: "resp_9"}); err != nil {
		t.Fatal(err)
	}
	equal(t, <-out, "1:^a 2:!CANCELLED")
	_, err := w.caller.DeleteResponse(t.Context(), &responsev1.DeleteResponseRequest{ResponseId: "resp_9"})
	equal(t, reason(err), "RESPONSE_NOT_FOUND")
}

func TestDrain(t *testing.T) {
	t.Parallel()
	w := open(t)
	reached, goOn := make(chan struct{}, 9), make(chan struct{})
	w.model.plays(waits(reached))
	stuck := make(chan string, 1)
	go func() {
		chunks, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1"})
		stuck <- show(chunks) + reason(err)
	}()
	<-reached
	w.model.plays(func(ctx context.Context, r *gptv1.GenerateRequest, send func(*conversationv1.Chunk) error) error {
		reached <- struct{}{}
		<-goOn
		return says(hello()...)(ctx, r, send)
	})
	finishing := make(chan string, 1)
	go func() {
		chunks, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_2"})
		finishing <- show(chunks) + reason(err)
	}()
	<-reached
	ctx, limit := context.WithCancel(t.Context())
	drained := make(chan error, 1)
	go func() { drained <- w.Drain(ctx) }()
	eventually(t, "draining", func() bool { return w.Ready(t.Context()) != nil })
	_, err := w.generate(t.Context(), &responsev1.GenerateRequest{})
	equal(t, reason(err), "SHUTTING_DOWN")
	close(goOn)
	equal(t, <-finishing, "1:^Hel 2:lo 3:.#$")
	limit()
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
	equal(t, <-stuck, "1:^a 2:!INTERRUPTED")
	equal(t, w.get("resp_1").GetState().String(), "STATE_INTERRUPTED")
}

// TestRestart reopens a store as a process that died left it: one answer
// running, one whole with its append not done, one whole with its append done
// but not noted.
func TestRestart(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newSession("s1")
	ctx := t.Context()
	begin := func(id string) *responsev1.Response {
		r := &responsev1.Response{Id: id, Owner: "local", State: responsev1.Response_STATE_RUNNING, CreateTime: timestamppb.Now()}
		if err := w.store.Begin(ctx, r, "dead"); err != nil {
			t.Fatal(err)
		}
		return r
	}
	begin("running")
	for _, id := range []string{"lost", "done"} {
		r := begin(id)
		r.State, r.FinishTime = responsev1.Response_STATE_COMPLETED, timestamppb.Now()
		answer := &conversationv1.Message{Id: id, Role: conversationv1.Role_ROLE_ASSISTANT, Parts: user("answer " + id).GetParts()}
		req := &sessionv1.AppendMessagesRequest{SessionId: "s1", Messages: []*conversationv1.Message{answer}}
		if id == "done" {
			if _, err := w.session.AppendMessages(ctx, req); err != nil {
				t.Fatal(err)
			}
		}
		intent, err := proto.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.store.Finish(ctx, store.Final{Response: r, Intent: intent}); err != nil {
			t.Fatal(err)
		}
	}
	w.close()

	again := configure(t, w.path, w.session, nil)
	if err := again.Start(ctx); err != nil {
		t.Fatal(err)
	}
	r := again.get("running")
	equal(t, r.GetState().String()+" "+r.GetFailure().GetReason().String(), "STATE_INTERRUPTED ERROR_REASON_INTERRUPTED")
	got, err := again.watch(ctx, "running", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, show(got), "1:^!INTERRUPTED")
	if got, err = again.watch(ctx, "running", 5, 0); err != nil {
		t.Fatal(err)
	}
	equal(t, show(got), "6:!INTERRUPTED")
	eventually(t, "the intents are carried out", func() bool {
		pending, err := again.store.Pending(ctx, time.Now().Add(time.Hour), 9)
		return err == nil && len(pending) == 0
	})
	// Once each; the room that stored the intents may have come first.
	if got := again.story("s1"); got != "ASSISTANT:answer lost ASSISTANT:answer done" {
		equal(t, got, "ASSISTANT:answer done ASSISTANT:answer lost")
	}
}

func TestListIsTheCallersOwn(t *testing.T) {
	t.Parallel()
	w := open(t)
	for i := range 5 {
		if _, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: fmt.Sprint("resp_", i)}); err != nil {
			t.Fatal(err)
		}
	}
	you := callctx.With(t.Context(), callctx.Call{Principal: callctx.Principal{ID: "you"}})
	if _, err := w.generate(you, &responsev1.GenerateRequest{ResponseId: "yours"}); err != nil {
		t.Fatal(err)
	}
	var ids []string
	req := &responsev1.ListResponsesRequest{PageSize: 2}
	for {
		page, err := w.caller.ListResponses(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.GetResponses() {
			ids = append(ids, r.GetId())
		}
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	equal(t, strings.Join(ids, " "), "resp_4 resp_3 resp_2 resp_1 resp_0")
	_, err := w.caller.ListResponses(t.Context(), &responsev1.ListResponsesRequest{PageToken: "x"})
	equal(t, reason(err), "INVALID_PAGE_TOKEN")
	none := time.Time{}.UnixNano()
	forged := page.Token(fmt.Sprintf("responses %q %q %v %d %d", "local", "", []responsev1.Response_State(nil), none, none), "nowhere")
	_, err = w.caller.ListResponses(t.Context(), &responsev1.ListResponsesRequest{PageToken: forged})
	equal(t, reason(err), "INVALID_PAGE_TOKEN")
	for _, id := range []string{"yours", "none"} {
		_, err := w.caller.GetResponse(t.Context(), &responsev1.GetResponseRequest{ResponseId: id})
		equal(t, reason(err), "RESPONSE_NOT_FOUND")
	}
}

// replica is one of several processes on a database, whose clock may be ahead.
func replica(t *testing.T, url, name string, ahead ...time.Duration) *world {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Config{URL: url, Schema: "response"})
	if err != nil {
		t.Fatal(err)
	}
	_, forPostgres := Migrations()
	if _, err := db.Migrate(t.Context(), forPostgres); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, model: &model{}, session: sessiontest.New()}
	cfg := DefaultConfig()
	cfg.HeartbeatInterval, cfg.DeadAfter, cfg.WatchPollInterval = 500*time.Millisecond, time.Minute, 5*time.Millisecond
	cfg.JournalInterval = 2 * time.Millisecond
	if w.Service, err = New(cfg, Deps{
		Postgres: db, GPT: gptv1.LocalGPTService(w.model, nil), Session: sessionv1.LocalSessionService(w.session, nil),
		Codec: func(conversationv1.Wire) wire.Codec { return lineCodec{} }, Instance: name,
		Clock: func() time.Time {
			now := time.Now()
			for _, d := range ahead {
				now = now.Add(d)
			}
			return now
		},
	}); err != nil {
		t.Fatal(err)
	}
	w.caller = responsev1.LocalResponseService(w.Service, nil)
	w.close = sync.OnceFunc(func() {
		if err := w.Service.Close(); err != nil {
			t.Error(err)
		}
		db.Close()
	})
	t.Cleanup(w.close)
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestReplicas has two processes on one database: one makes the answer, the
// other watches and cancels it; and one dies.
func TestReplicas(t *testing.T) {
	t.Parallel()
	url := pgtest.DB(t)
	one, two := replica(t, url, "one"), replica(t, url, "two")
	reached := make(chan struct{}, 1)
	one.model.plays(waits(reached))
	made := make(chan string, 1)
	go func() {
		chunks, err := one.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1"})
		made <- show(chunks) + reason(err)
	}()
	<-reached
	watched := make(chan string, 1)
	go func() {
		chunks, err := two.watch(t.Context(), "resp_1", 1, 0)
		watched <- show(chunks) + reason(err)
	}()
	resp, err := two.caller.CancelResponse(t.Context(), &responsev1.CancelResponseRequest{ResponseId: "resp_1"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, <-made, "1:^a 2:!CANCELLED")
	equal(t, <-watched, "2:!CANCELLED")
	if state := resp.GetResponse().GetState(); state != responsev1.Response_STATE_CANCELLED && state != responsev1.Response_STATE_RUNNING {
		t.Errorf("%v", state)
	}

	dead := &responsev1.Response{Id: "resp_2", Owner: "local", State: responsev1.Response_STATE_RUNNING, CreateTime: timestamppb.New(time.Now().Add(-time.Hour))}
	if err := one.store.Begin(t.Context(), dead, "three"); err != nil {
		t.Fatal(err)
	}
	chunks, err := two.watch(t.Context(), "resp_2", 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, show(chunks), "4:!INTERRUPTED")
}

func TestConfigNamesTheKey(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	cfg.MaxRunning, cfg.DeadAfter = 0, time.Second
	err := cfg.Validate()
	if err == nil || !strings.Contains(err.Error(), "max_running") || !strings.Contains(err.Error(), "dead_after") {
		t.Fatal(err)
	}
	if _, err := New(cfg, Deps{}); err == nil {
		t.Fatal("a wrong configuration passed")
	}
	if _, err := New(DefaultConfig(), Deps{}); err == nil {
		t.Fatal("no store, and it passed")
	}
}

func BenchmarkRelay(b *testing.B) {
	r := &run{s: &Service{cfg: DefaultConfig(), metrics: must(newMetrics(nil, nil))}, beginDone: true, parts: new(parts), response: &responsev1.Response{}, req: &responsev1.GenerateRequest{}, stream: nowhere{}}
	r.s.deps.Clock = time.Now
	chunk := raw(strings.Repeat("x", 220))
	first := raw("x", started())
	reset := func() {
		r.log, r.sequence, r.parts.grammar = answerlog.Log{}, 0, wire.Grammar{}
		r.log.Init(1 << 30)
		if err := r.take(b.Context(), first); err != nil {
			b.Fatal(err)
		}
	}
	reset()
	b.ReportAllocs()
	for b.Loop() {
		if r.sequence > 4000 {
			reset()
		}
		if err := r.take(b.Context(), chunk); err != nil {
			b.Fatal(err)
		}
	}
}
