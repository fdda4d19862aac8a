package response

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/response/internal/answerlog"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// row is a row of the ledger.
func row(id, response string, state gptv1.Attempt_State, in, out int64) *gptv1.Attempt {
	source := conversationv1.UsageSource_USAGE_SOURCE_PARTIAL
	if state == gptv1.Attempt_STATE_RESERVED {
		source = conversationv1.UsageSource_USAGE_SOURCE_ESTIMATED
	}
	return &gptv1.Attempt{Id: id, ResponseId: response, State: state, Usage: &conversationv1.Usage{InputTokens: in, OutputTokens: out, Source: source}}
}

// used is what an answer has used, in words.
func used(r *responsev1.Response) string {
	u := r.GetUsage()
	if u == nil {
		return r.GetState().String() + " unknown"
	}
	return fmt.Sprint(r.GetState(), " ", u.GetInputTokens(), "/", u.GetOutputTokens(), " ", u.GetSource())
}

// An answer whose process died has used what the ledger has of its attempts, and says so
// in its log too.
func TestUsageOfADeadProcess(t *testing.T) {
	t.Parallel()
	w := configure(t, t.TempDir()+"/response.db", newSessions(), nil)
	w.model.settles(func(requestID string) ([]*gptv1.Attempt, error) {
		if requestID != "req_1" {
			return nil, errors.New("who?")
		}
		return []*gptv1.Attempt{
			row("att_2", "resp_1", gptv1.Attempt_STATE_SETTLED, 7, 90), // it was too slow
			row("att_1", "resp_2", gptv1.Attempt_STATE_SETTLED, 7, 80), // of another answer
			row("att_1", "resp_1", gptv1.Attempt_STATE_RESERVED, 7, 2), // of the process that died
		}, nil
	})
	ctx := t.Context()
	for _, id := range []string{"resp_1", "resp_2"} {
		r := &responsev1.Response{Id: id, Owner: "local", RequestId: "req" + id[4:], State: responsev1.Response_STATE_RUNNING, CreateTime: timestamppb.Now()}
		if err := w.store.Begin(ctx, r, "dead"); err != nil {
			t.Fatal(err)
		}
		chunk := typed(started(), text("Hel"))
		chunk.Sequence = 1
		frames := answerlog.Frames(nil, must(proto.Marshal(chunk)))
		if err := w.store.Journal(ctx, []store.Piece{{ResponseID: id, First: 1, Last: 1, Frames: frames}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Start(ctx); err != nil {
		t.Fatal(err)
	}
	equal(t, used(w.get("resp_1")), "STATE_INTERRUPTED 7/2 USAGE_SOURCE_PARTIAL")
	equal(t, used(w.get("resp_2")), "STATE_INTERRUPTED unknown")
	chunks, err := w.watch(ctx, "resp_1", 0, 0)
	equal(t, show(chunks)+reason(err), "1:^Hel 2:#!INTERRUPTED")
	chunks, err = w.watch(ctx, "resp_1", 5, 0)
	equal(t, show(chunks)+reason(err), "6:#!INTERRUPTED")
}

// An answer that somebody ends has used what the ledger settles.
func TestUsageOfACancelledAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ledger func(asked int32) ([]*gptv1.Attempt, error)
		want   string
	}{
		"settled": {func(int32) ([]*gptv1.Attempt, error) {
			return []*gptv1.Attempt{row("att_1", "resp_1", gptv1.Attempt_STATE_SETTLED, 7, 3)}, nil
		}, "STATE_CANCELLED 7/3 USAGE_SOURCE_PARTIAL"},
		"settled soon": {func(asked int32) ([]*gptv1.Attempt, error) {
			if asked < 3 {
				return []*gptv1.Attempt{row("att_1", "resp_1", gptv1.Attempt_STATE_RESERVED, 7, 0)}, nil
			}
			return []*gptv1.Attempt{row("att_1", "resp_1", gptv1.Attempt_STATE_SETTLED, 7, 3)}, nil
		}, "STATE_CANCELLED 7/3 USAGE_SOURCE_PARTIAL"},
		"never settled": {func(int32) ([]*gptv1.Attempt, error) {
			return []*gptv1.Attempt{row("att_1", "resp_1", gptv1.Attempt_STATE_RESERVED, 7, 0)}, nil
		}, "STATE_CANCELLED unknown"},
		"away": {func(int32) ([]*gptv1.Attempt, error) { return nil, errors.New("away") }, "STATE_CANCELLED unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			var asked atomic.Int32
			w.model.settles(func(string) ([]*gptv1.Attempt, error) { return c.ledger(asked.Add(1)) })
			w.model.plays(steps(make(chan struct{})))
			ctx, leave := context.WithCancel(t.Context())
			_, err := w.generate(ctx, &responsev1.GenerateRequest{ResponseId: "resp_1", RequestId: "req_1"}, func(*conversationv1.Chunk) error {
				leave()
				return nil
			})
			if err == nil {
				t.Error("a cancelled answer has no error")
			}
			eventually(t, "its row has ended", func() bool { return w.get("resp_1").GetState() != responsev1.Response_STATE_RUNNING })
			equal(t, used(w.get("resp_1")), c.want)
		})
	}
}

// An answer whose gpt room died has used what the ledger had of it then; one that its
// provider declined is not asked for.
func TestUsageOfAFailedAnswer(t *testing.T) {
	t.Parallel()
	w := open(t)
	var asked atomic.Int32
	w.model.settles(func(request string) ([]*gptv1.Attempt, error) {
		asked.Add(1)
		return []*gptv1.Attempt{row("att_1", "resp_"+request, gptv1.Attempt_STATE_RESERVED, 7, 3)}, nil
	})
	w.model.plays(func(_ context.Context, _ *gptv1.GenerateRequest, send func(*conversationv1.Chunk) error) error {
		if err := send(typed(started(), text("Hel"))); err != nil {
			return err
		}
		return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_ROOM_UNAVAILABLE, "gone", "call", fault.CallBegun)
	})
	chunks, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1", RequestId: "1"})
	equal(t, show(chunks)+reason(err), "1:^Hel 2:#!INTERRUPTED")
	equal(t, used(w.get("resp_1")), "STATE_INTERRUPTED 7/3 USAGE_SOURCE_PARTIAL")
	asked.Store(0)
	w.model.plays(func(context.Context, *gptv1.GenerateRequest, func(*conversationv1.Chunk) error) error {
		return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "no", "outcome", fault.OutcomeNotBegun)
	})
	if _, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_2", RequestId: "2"}); err == nil {
		t.Error("a declined answer has no error")
	}
	equal(t, fmt.Sprint(used(w.get("resp_2")), asked.Load()), "STATE_FAILED unknown0")
}
