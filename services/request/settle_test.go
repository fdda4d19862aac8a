package request

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// brokenLine is a response room behind a connection that breaks.
type brokenLine struct {
	responsev1.ResponseServiceCaller
	after int         // chunks of Generate that come through
	stays bool        // the room lives, and goes on
	away  atomic.Bool // nothing else comes through
}

func brokeOff() error {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_ROOM_UNAVAILABLE, "the response room cannot be reached",
		"room", "response", "call", fault.CallBegun)
}

func (b *brokenLine) Generate(ctx context.Context, req *responsev1.GenerateRequest, sink func(*responsev1.GenerateResponse) error) error {
	if b.stays {
		req = proto.CloneOf(req)
		req.OnDisconnect = responsev1.DisconnectPolicy_DISCONNECT_POLICY_DETACH
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	left := b.after
	err := b.ResponseServiceCaller.Generate(inner, req, func(m *responsev1.GenerateResponse) error {
		if left--; left < 0 {
			cancel()
			return errors.New("broken")
		}
		return sink(m)
	})
	if err == nil {
		return nil
	}
	return brokeOff()
}

func (b *brokenLine) WatchResponse(ctx context.Context, req *responsev1.WatchResponseRequest, sink func(*responsev1.WatchResponseResponse) error) error {
	if b.away.Load() {
		return brokeOff()
	}
	return b.ResponseServiceCaller.WatchResponse(ctx, req, sink)
}

func (b *brokenLine) GetResponse(ctx context.Context, req *responsev1.GetResponseRequest) (*responsev1.GetResponseResponse, error) {
	if b.away.Load() {
		return nil, brokeOff()
	}
	return b.ResponseServiceCaller.GetResponse(ctx, req)
}

// TestBrokenLine breaks the stream between the rooms after every chunk: where
// the answer goes on, its client never notices, and where not, all are told that it
// was interrupted.
func TestBrokenLine(t *testing.T) {
	t.Parallel()
	for after, ended := range []string{"1:^Hel 2:!INTERRUPTED", "1:^Hel 2:lo 3:!INTERRUPTED", hello} {
		for _, stays := range []bool{true, false} {
			line := &brokenLine{after: after, stays: stays}
			w := open(t, options{
				caller: func(c responsev1.ResponseServiceCaller) responsev1.ResponseServiceCaller {
					line.ResponseServiceCaller = c
					return line
				},
				config: func(cfg *Config) { cfg.RetryInterval = 2 * time.Millisecond },
			})
			got := w.submit(t.Context(), ask("hi"))
			if stays {
				equal(t, got, hello)
				equal(t, w.newest().GetState(), completed)
				continue
			}
			equal(t, got, ended)
			want := interrupted
			if ended == hello { // the last chunk alone was lost
				want = completed
			}
			eventually(t, "the row is final", func() bool { return final(w.newest().GetState()) })
			equal(t, w.newest().GetState(), want)
		}
	}
}

// apart is a response room in another process: the call of a client who leaves ends
// here at once, and the answer comes to its end there, where its row may come late.
type apart struct {
	responsev1.ResponseServiceCaller
	asked  chan struct{}
	hidden atomic.Int32 // how often the row is not there yet
	ended  chan error
	over   chan struct{} // closed when the answer has ended
	lost   bool          // no call comes through
}

func (a *apart) Generate(ctx context.Context, req *responsev1.GenerateRequest, _ func(*responsev1.GenerateResponse) error) error {
	req = proto.CloneOf(req)
	req.OnDisconnect = responsev1.DisconnectPolicy_DISCONNECT_POLICY_DETACH // it is too far to be ended
	if a.lost {
		close(a.asked)
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	}
	go func() {
		defer close(a.over)
		a.ended <- a.ResponseServiceCaller.Generate(context.WithoutCancel(ctx), req, func(*responsev1.GenerateResponse) error { return nil })
	}()
	close(a.asked)
	<-ctx.Done()
	return status.FromContextError(ctx.Err()).Err()
}

// CancelResponse is as slow as the end of the answer.
func (a *apart) CancelResponse(ctx context.Context, req *responsev1.CancelResponseRequest) (*responsev1.CancelResponseResponse, error) {
	if !a.lost {
		<-a.over
	}
	return a.ResponseServiceCaller.CancelResponse(ctx, req)
}

func (a *apart) GetResponse(ctx context.Context, req *responsev1.GetResponseRequest) (*responsev1.GetResponseResponse, error) {
	if a.hidden.Add(-1) >= 0 {
		return nil, fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_RESPONSE_NOT_FOUND, "there is no such answer")
	}
	return a.ResponseServiceCaller.GetResponse(ctx, req)
}

// TestAnswerEndsAfterItsCall: a client leaves while its answer comes to its end in
// another process. Request and answer say the same, however late the answer's row is.
func TestAnswerEndsAfterItsCall(t *testing.T) {
	t.Parallel()
	for _, looks := range []int32{0, 1, 20} {
		far := &apart{asked: make(chan struct{}), ended: make(chan error, 1), over: make(chan struct{})}
		far.hidden.Store(looks)
		w := open(t, options{
			apart: true,
			caller: func(c responsev1.ResponseServiceCaller) responsev1.ResponseServiceCaller {
				far.ResponseServiceCaller = c
				return far
			},
			config: func(cfg *Config) { cfg.RetryInterval = 2 * time.Millisecond },
		})
		ctx, leave := context.WithCancel(t.Context())
		go func() { <-far.asked; leave() }()
		w.submit(ctx, ask("hi"))
		if err := <-far.ended; err != nil {
			t.Fatal(err)
		}
		eventually(t, "the row is final", func() bool { return final(w.newest().GetState()) })
		equal(t, w.newest().GetState(), completed)
	}
}

// TestAnswerThatNeverCame: a client leaves before its call has come to the response room.
// The request ends soon, and the answer, which may be under way there, with it.
func TestAnswerThatNeverCame(t *testing.T) {
	t.Parallel()
	far := &apart{asked: make(chan struct{}), lost: true}
	w := open(t, options{
		apart: true,
		caller: func(c responsev1.ResponseServiceCaller) responsev1.ResponseServiceCaller {
			far.ResponseServiceCaller = c
			return far
		},
		config: func(cfg *Config) { cfg.RetryInterval, cfg.StoreTimeout = 2*time.Millisecond, time.Hour },
	})
	ctx, leave := context.WithCancel(t.Context())
	go func() { <-far.asked; leave() }()
	w.submit(ctx, ask("hi"))
	eventually(t, "the row is final", func() bool { return final(w.newest().GetState()) })
	equal(t, w.newest().GetState(), cancelled)
	err := far.ResponseServiceCaller.Generate(t.Context(), &responsev1.GenerateRequest{ResponseId: w.newest().GetResponseId()}, func(*responsev1.GenerateResponse) error { return nil })
	equal(t, reason(err), "ALREADY_EXISTS")
}

// TestLostRoom loses the response room for longer than the client waits: the
// client is told where it can go on, and the row tells the truth in the end.
func TestLostRoom(t *testing.T) {
	t.Parallel()
	line := &brokenLine{after: 1, stays: true}
	line.away.Store(true)
	w := open(t, options{
		caller: func(c responsev1.ResponseServiceCaller) responsev1.ResponseServiceCaller {
			line.ResponseServiceCaller = c
			return line
		},
		config: func(cfg *Config) { cfg.RetryInterval, cfg.ResumeTimeout = 2*time.Millisecond, 20*time.Millisecond },
	})
	got := w.submit(t.Context(), ask("hi"))
	equal(t, got, "1:^Hel 2:!INTERRUPTED")
	failure := got.chunks[1].GetEvents()[0].GetFailed()
	equal(t, failure.GetMetadata()["last_sequence"], "1")
	if failure.GetMetadata()["response_id"] == "" {
		t.Error("the client cannot resume")
	}
	if w.newest().GetFinishTime() != nil {
		t.Error("the row is final before anybody knows")
	}
	line.away.Store(false)
	eventually(t, "the row is final", func() bool { return final(w.newest().GetState()) })
	equal(t, w.newest().GetState(), completed)
}

// TestClientLeavesAtTheEnd: whatever the client has seen, request and answer
// say the same.
func TestClientLeavesAtTheEnd(t *testing.T) {
	t.Parallel()
	w := open(t, options{})
	for leaveAt := int64(1); leaveAt <= 3; leaveAt++ {
		ctx, leave := context.WithCancel(t.Context())
		w.submit(ctx, ask("hi"), func(m *requestv1.SubmitResponse) error {
			if m.GetChunk().GetSequence() == leaveAt {
				leave()
				return context.Canceled
			}
			return nil
		})
		leave()
		r := w.newest()
		answer, err := w.deps.Response.GetResponse(t.Context(), &responsev1.GetResponseRequest{ResponseId: r.GetResponseId()})
		if err != nil {
			t.Fatal(err)
		}
		want := cancelled
		if answer.GetResponse().GetState() == responsev1.Response_STATE_COMPLETED {
			want = completed
		}
		equal(t, r.GetState(), want)
	}
}

// TestVerdicts is the table of what an answer's state makes of its request.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	failure := func(reason meshv1.ErrorReason) *conversationv1.Failure {
		return &conversationv1.Failure{Reason: reason}
	}
	for _, c := range []struct {
		answer   *responsev1.Response
		wanted   bool
		detached bool
		want     requestv1.Request_State
	}{
		{nil, true, false, cancelled}, // what the caller says
		{&responsev1.Response{State: responsev1.Response_STATE_COMPLETED}, true, false, completed},
		{&responsev1.Response{State: responsev1.Response_STATE_CANCELLED}, true, false, cancelled},
		{&responsev1.Response{State: responsev1.Response_STATE_CANCELLED}, false, false, interrupted},
		{&responsev1.Response{State: responsev1.Response_STATE_CANCELLED}, false, true, cancelled},
		{&responsev1.Response{State: responsev1.Response_STATE_FAILED, Failure: failure(meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR)}, false, false, failed},
		{&responsev1.Response{State: responsev1.Response_STATE_INTERRUPTED}, false, false, interrupted},
	} {
		end := openEnd{request: &requestv1.Request{Detached: c.detached}, state: cancelled, wanted: c.wanted}
		got, _ := end.verdict(c.answer)
		equal(t, got, c.want)
	}
}
