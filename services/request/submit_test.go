package request

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/page"
	"github.com/gptmesh/gptmesh/services/response/responsetest"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var away = fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "the provider failed")

func fails(err error, pieces ...string) responsetest.Script {
	return func(_ context.Context, _ *responsev1.GenerateRequest, send func(...*conversationv1.Event) error) error {
		events := []*conversationv1.Event{responsetest.Started()}
		for _, piece := range pieces {
			if err := send(append(events, responsetest.Text(piece))...); err != nil {
				return err
			}
			events = nil
		}
		return err
	}
}

// waits sends pieces and then waits for its end, or for goOn.
func waits(reached chan<- struct{}, goOn <-chan struct{}, pieces ...string) responsetest.Script {
	return func(ctx context.Context, _ *responsev1.GenerateRequest, send func(...*conversationv1.Event) error) error {
		events := []*conversationv1.Event{responsetest.Started()}
		for _, piece := range pieces {
			if err := send(append(events, responsetest.Text(piece))...); err != nil {
				return err
			}
			events = nil
		}
		reached <- struct{}{}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-goOn:
			return send(append(events, responsetest.Ending()...)...)
		}
	}
}

func TestSubmit(t *testing.T) {
	t.Parallel()
	w := open(t, options{})
	req := ask("hi")
	req.Metadata = map[string]string{"a": "b"}
	g := w.submit(t.Context(), req, func(m *requestv1.SubmitResponse) error {
		want := running
		if wire.Last(m.GetChunk()) != nil {
			want = completed
		}
		if state := w.newest().GetState(); want == completed && state != completed {
			t.Errorf("at the end the row says %v", state)
		}
		return nil
	})
	equal(t, g, hello)
	if len(g.requests) != 2 {
		t.Fatalf("%d requests", len(g.requests))
	}
	equal(t, g.requests[0].GetState(), accepted)
	r := g.requests[1]
	equal(t, fmt.Sprintf("%v %v %v %v %v %v", r.GetState(), r.GetUserId(), r.GetUsage().GetOutputTokens(), r.GetDecision().GetPolicy(), r.GetDecision().GetModel(), r.GetMetadata()),
		"STATE_COMPLETED default 2 asked m map[a:b]")
	stored := w.get(r.GetId())
	equal(t, stored.GetState(), completed)
	if stored.GetFinishTime() == nil || !strings.HasPrefix(stored.GetResponseId(), "resp_") {
		t.Errorf("%v", stored)
	}
	call := w.response.Calls()[0]
	equal(t, call.GetRequestId()+call.GetResponseId(), r.GetId()+r.GetResponseId())

	req.Turn.Model = ""
	g = w.submit(t.Context(), req)
	equal(t, g.requests[1].GetDecision().GetPolicy()+g.requests[1].GetDecision().GetModel(), "defaultm-1")
}

// The decision says what the provider who answered could not take.
func TestDroppedFields(t *testing.T) {
	t.Parallel()
	w := open(t, options{})
	w.response.Play(func(_ context.Context, _ *responsev1.GenerateRequest, send func(...*conversationv1.Event) error) error {
		started := responsetest.Started()
		started.GetStarted().DroppedFields = []string{"top_k", "tools[].strict"}
		if err := send(started, responsetest.Text("a")); err != nil {
			return err
		}
		return send(responsetest.Ending()...)
	})
	g := w.submit(t.Context(), ask("hi"))
	want := "[top_k tools[].strict]"
	equal(t, fmt.Sprint(g.requests[0].GetDecision().GetDroppedFields()), want)
	stored := w.get(g.requests[1].GetId())
	equal(t, fmt.Sprint(stored.GetState(), stored.GetDecision().GetDroppedFields()), "STATE_COMPLETED "+want)
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script responsetest.Script
		want   string
		state  requestv1.Request_State
	}{
		"before the first chunk": {fails(away), "error:PROVIDER_ERROR", failed},
		"after it":               {fails(away, "a"), "1:^a 2:!PROVIDER_ERROR", failed},
		"cut off":                {fails(nil, "a"), "1:^a 2:!STREAM_TRUNCATED", failed},
		"interrupted":            {fails(wasInterrupted("x"), "a"), "1:^a 2:!INTERRUPTED", interrupted},
		"cancelled":              {fails(wasCancelled(), "a"), "1:^a 2:!CANCELLED", cancelled},
		"in one chunk":           {responsetest.Says(), "1:^$", completed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t, options{})
			w.response.Play(c.script)
			g := w.submit(t.Context(), ask("hi"))
			equal(t, g, c.want)
			equal(t, w.newest().GetState(), c.state)
			if (c.state == completed) != (w.newest().GetFailure() == nil) {
				t.Errorf("%v", w.newest())
			}
		})
	}
}

func TestTimeoutNamesTheRoom(t *testing.T) {
	t.Parallel()
	for _, pieces := range [][]string{nil, {"a"}} {
		for _, policy := range []responsev1.DisconnectPolicy{0, responsev1.DisconnectPolicy_DISCONNECT_POLICY_DETACH} {
			w := open(t, options{})
			reached := make(chan struct{}, 16) // one for each limit that is tried
			w.response.Play(waits(reached, nil, pieces...))
			want := "error:DEADLINE_EXCEEDED"
			if len(pieces) > 0 {
				want = "1:^a 2:!DEADLINE_EXCEEDED"
			}
			var g got
			for limit := 30 * time.Millisecond; limit < 20*time.Second; limit *= 2 {
				req := ask("hi")
				req.Timeout, req.OnDisconnect = durationpb.New(limit), policy
				g = w.submit(t.Context(), req)
				if len(g.chunks) > 0 || len(pieces) == 0 && len(reached) > 0 {
					break // the answer was reached before the time ran out
				}
			}
			equal(t, g, want)
			// Where the answer's end is late, the row is ended beside the client's.
			var r *requestv1.Request
			eventually(t, "the request has ended", func() bool {
				r = w.newest()
				return r.GetState() != requestv1.Request_STATE_ACCEPTED && r.GetState() != requestv1.Request_STATE_RUNNING
			})
			equal(t, r.GetState().String()+r.GetFailure().GetMetadata()["room"], "STATE_FAILEDresponse")
			eventually(t, "the answer has ended", func() bool {
				resp, err := w.response.GetResponse(t.Context(), &responsev1.GetResponseRequest{ResponseId: r.GetResponseId()})
				return err == nil && resp.GetResponse().GetState() != responsev1.Response_STATE_RUNNING
			})
		}
	}
}

// TestOneEnd is the property: whatever the response room and the client do, a
// client sees chunks in order and one end, or a status and no chunk; and the
// row is final and agrees.
func TestOneEnd(t *testing.T) {
	t.Parallel()
	w := open(t, options{})
	for i := range 300 {
		random := rand.New(rand.NewPCG(11, uint64(i)))
		ctx, cancel := context.WithCancel(t.Context())
		leaveAt := int64(random.IntN(8))
		policy := responsev1.DisconnectPolicy(random.IntN(4))
		key := ""
		if random.IntN(2) == 0 {
			key = fmt.Sprint("k", i)
		}
		scripted := rand.New(rand.NewPCG(13, uint64(i)))
		w.response.Play(func(ctx context.Context, _ *responsev1.GenerateRequest, send func(...*conversationv1.Event) error) error {
			events := []*conversationv1.Event{responsetest.Started()}
			for {
				switch k := scripted.IntN(12); {
				case k < 6:
					if err := send(append(events, responsetest.Text("a"))...); err != nil {
						return err
					}
					events = nil
				case k < 9:
					return send(append(events, responsetest.Ending()...)...)
				case k == 9:
					return away
				case k == 10:
					return nil
				default:
					cancel()
				}
			}
		})
		req := ask(fmt.Sprint("hi ", i))
		req.OnDisconnect, req.IdempotencyKey = policy, key
		g := w.submit(ctx, req, func(m *requestv1.SubmitResponse) error {
			if m.GetChunk().GetSequence() == leaveAt {
				return errors.New("I leave")
			}
			return nil
		})
		cancel()
		eventually(t, "nothing runs", func() bool { return w.runningCount() == 0 })
		var grammar wire.Grammar
		for n, c := range g.chunks {
			if c.GetSequence() != int64(n+1) {
				t.Fatalf("%d: %s", i, g)
			}
			for _, event := range c.GetEvents() {
				if err := grammar.Accept(event); err != nil {
					t.Fatalf("%d: %v in %s", i, err, g)
				}
			}
		}
		if g.err == nil && !grammar.Ended() {
			t.Fatalf("%d: OK without an end: %s", i, g)
		}
		r := w.newest()
		if !final(r.GetState()) {
			t.Fatalf("%d: %s left %v", i, g, r)
		}
		if g.err == nil {
			done := wire.Last(g.chunks[len(g.chunks)-1]).GetFinished() != nil
			if done != (r.GetState() == completed) || g.requests[len(g.requests)-1].GetState() != r.GetState() {
				t.Fatalf("%d: %s with %v", i, g, r)
			}
		}
		if key != "" && len(g.chunks) > 0 {
			calls := len(w.response.Calls())
			again := w.submit(t.Context(), req)
			if len(w.response.Calls()) != calls {
				t.Fatalf("%d: a second model call for one key", i)
			}
			if !strings.HasPrefix(again.String(), strings.TrimSuffix(fmt.Sprint(g.chunks), "]")) && len(again.chunks) < len(g.chunks) {
				t.Fatalf("%d: first %s, again %s", i, g, again)
			}
		}
	}
}

func TestClientLeaves(t *testing.T) {
	t.Parallel()
	for _, policy := range []responsev1.DisconnectPolicy{0, responsev1.DisconnectPolicy_DISCONNECT_POLICY_DRAIN, responsev1.DisconnectPolicy_DISCONNECT_POLICY_DETACH} {
		for _, pieces := range [][]string{nil, {"a"}} {
			t.Run(fmt.Sprint(policy, len(pieces)), func(t *testing.T) {
				t.Parallel()
				w := open(t, options{})
				reached, goOn := make(chan struct{}, 1), make(chan struct{})
				w.response.Play(waits(reached, goOn, pieces...))
				ctx, leave := context.WithCancel(t.Context())
				left := make(chan got, 1)
				req := ask("hi")
				req.OnDisconnect = policy
				go func() { left <- w.submit(ctx, req) }()
				<-reached
				leave()
				if policy == 0 {
					equal(t, reason((<-left).err), "CANCELLED")
					equal(t, w.newest().GetState(), cancelled)
					return
				}
				equal(t, reason((<-left).err), "CANCELLED")
				eventually(t, "the row is there", func() bool {
					resp, err := w.caller.ListRequests(t.Context(), &requestv1.ListRequestsRequest{})
					return err == nil && len(resp.GetRequests()) == 1
				})
				equal(t, final(w.newest().GetState()), false)
				close(goOn)
				if r := w.runningHere("local", w.newest().GetId()); r != nil {
					<-r.done.Opened()
				}
				equal(t, w.newest().GetState(), completed)
			})
		}
	}
}

func TestDetachedAndCancel(t *testing.T) {
	t.Parallel()
	w := open(t, options{config: func(c *Config) { c.MaxDetached = 1 }})
	reached := make(chan struct{}, 9)
	w.response.Play(waits(reached, nil, "a"))
	ctx, leave := context.WithCancel(t.Context())
	resp, err := w.caller.SubmitDetached(ctx, &requestv1.SubmitDetachedRequest{Submit: ask("hi")})
	if err != nil {
		t.Fatal(err)
	}
	leave()
	id := resp.GetRequest().GetId()
	<-reached
	equal(t, w.get(id).GetState(), running)
	if _, err := w.response.GetResponse(t.Context(), &responsev1.GetResponseRequest{ResponseId: resp.GetRequest().GetResponseId()}); err != nil {
		t.Fatal("the answer of a detached request that was acknowledged:", err)
	}
	equal(t, w.newest().GetState(), running)
	for state, n := range map[requestv1.Request_State]int{running: 1, accepted: 0} {
		page, err := w.caller.ListRequests(t.Context(), &requestv1.ListRequestsRequest{States: []requestv1.Request_State{state}})
		equal(t, fmt.Sprint(len(page.GetRequests()), err), fmt.Sprint(n, error(nil)))
	}
	_, err = w.caller.SubmitDetached(t.Context(), &requestv1.SubmitDetachedRequest{Submit: ask("hi")})
	equal(t, reason(err), "OVERLOADED")
	for range 2 {
		out, err := w.caller.CancelRequest(t.Context(), &requestv1.CancelRequestRequest{RequestId: id})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, out.GetRequest().GetState(), cancelled)
	}
	streamed := make(chan got, 1)
	go func() { streamed <- w.submit(t.Context(), ask("hi")) }()
	<-reached
	if _, err := w.caller.CancelRequest(t.Context(), &requestv1.CancelRequestRequest{RequestId: w.newest().GetId()}); err != nil {
		t.Fatal(err)
	}
	equal(t, <-streamed, "1:^a 2:!CANCELLED")
	w.response.Play(responsetest.Says("Hel", "lo"))
	g := w.submit(t.Context(), ask("hi"))
	_, err = w.caller.CancelRequest(t.Context(), &requestv1.CancelRequestRequest{RequestId: g.requests[0].GetId()})
	f := fault.From(err)
	equal(t, reason(err)+f.Metadata["from"]+f.Metadata["to"], "ILLEGAL_TRANSITIONSTATE_COMPLETEDSTATE_CANCELLED")
	_, err = w.caller.CancelRequest(t.Context(), &requestv1.CancelRequestRequest{RequestId: "none"})
	equal(t, reason(err), "REQUEST_NOT_FOUND")
}

func TestDrain(t *testing.T) {
	t.Parallel()
	w := open(t, options{})
	reached := make(chan struct{}, 9)
	w.response.Play(waits(reached, nil, "a"))
	stuck := make(chan got, 1)
	go func() { stuck <- w.submit(t.Context(), ask("hi")) }()
	<-reached
	ctx, limit := context.WithCancel(t.Context())
	drained := make(chan error, 1)
	go func() { drained <- w.Drain(ctx) }()
	eventually(t, "draining", func() bool { return w.Ready(t.Context()) != nil })
	equal(t, w.submit(t.Context(), ask("hi")), "error:SHUTTING_DOWN")
	limit()
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
	equal(t, <-stuck, "1:^a 2:!INTERRUPTED")
	equal(t, w.newest().GetState(), interrupted)
}

func TestSessions(t *testing.T) {
	t.Parallel()
	w := open(t, options{})
	w.newSession("s1", "system:be-kind user:hi assistant:hello")
	call := func(req *requestv1.SubmitRequest) (asked, added string) {
		t.Helper()
		equal(t, w.submit(t.Context(), req), hello)
		calls := w.response.Calls()
		last := calls[len(calls)-1]
		return tell(last.GetTurn().GetMessages()), tell(last.GetNewMessages())
	}
	req := ask("more")
	req.SessionId = "s1"
	asked, added := call(req)
	equal(t, asked, "system:be-kind user:hi assistant:hello user:more")
	equal(t, added, "user:more")

	req = ask("hi")
	req.SessionId = newSession
	_, added = call(req)
	equal(t, added, "user:hi")
	session := w.newest().GetSessionId()
	if _, err := w.session.GetSession(t.Context(), &sessionv1.GetSessionRequest{SessionId: session}); err != nil || !strings.HasPrefix(session, "ses_") {
		t.Fatal(session, err)
	}

	if _, err := w.session.EndSession(t.Context(), &sessionv1.EndSessionRequest{SessionId: "s1"}); err != nil {
		t.Fatal(err)
	}
	rows := w.newest().GetId()
	req = ask("more")
	req.SessionId = "s1"
	equal(t, w.submit(t.Context(), req), "error:SESSION_ENDED")
	req.SessionId = "none"
	equal(t, w.submit(t.Context(), req), "error:SESSION_NOT_FOUND")
	equal(t, w.newest().GetId(), rows) // a refused turn leaves no row
}

func TestListAndOwner(t *testing.T) {
	t.Parallel()
	w := open(t, options{})
	for i := range 5 {
		req := ask("hi")
		req.UserId = fmt.Sprint("user", i%2)
		equal(t, w.submit(t.Context(), req), hello)
	}
	count := func(req *requestv1.ListRequestsRequest) int {
		t.Helper()
		n := 0
		for {
			page, err := w.caller.ListRequests(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			n += len(page.GetRequests())
			if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
				return n
			}
		}
	}
	equal(t, count(&requestv1.ListRequestsRequest{PageSize: 2}), 5)
	equal(t, count(&requestv1.ListRequestsRequest{PageSize: 2, UserId: "user1"}), 2)
	equal(t, count(&requestv1.ListRequestsRequest{States: []requestv1.Request_State{failed}}), 0)
	equal(t, count(&requestv1.ListRequestsRequest{Before: timestamppb.New(time.Now().Add(-time.Hour))}), 0)
	you := callctx.With(t.Context(), callctx.Call{Principal: callctx.Principal{ID: "you"}})
	none := time.Time{}.UnixNano()
	forged := page.Token(fmt.Sprintf("requests %q %q %q %v %d %d", "local", "", "", []requestv1.Request_State(nil), none, none), "nowhere")
	_, err := w.caller.ListRequests(t.Context(), &requestv1.ListRequestsRequest{PageToken: forged})
	equal(t, reason(err), "INVALID_PAGE_TOKEN")
	_, err = w.caller.GetRequest(you, &requestv1.GetRequestRequest{RequestId: w.newest().GetId()})
	equal(t, reason(err), "REQUEST_NOT_FOUND")
}
