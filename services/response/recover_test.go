package response

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// leave begins n answers as a process does that dies.
func (w *world) leave(n int) (left []*responsev1.Response) {
	w.t.Helper()
	for i := range n {
		r := &responsev1.Response{
			Id: fmt.Sprint("resp_", i), Owner: "local", RequestId: fmt.Sprint("req_", i), State: responsev1.Response_STATE_RUNNING, CreateTime: timestamppb.Now(),
		}
		if err := w.store.Begin(w.t.Context(), r, "dead"); err != nil {
			w.t.Fatal(err)
		}
		left = append(left, r)
	}
	return left
}

// slowStore ends no more than a few answers in the time that a sweep has.
type slowStore struct {
	store.Store
	few int
}

func (s slowStore) Interrupt(ctx context.Context, sweep store.Sweep) (int, error) {
	if len(sweep.Of) > s.few {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return s.Store.Interrupt(ctx, sweep)
}

// Where there is not time enough to end many answers at once, all end for all that.
func TestSweepOfASlowStore(t *testing.T) {
	t.Parallel()
	for few, want := range map[int]error{3: nil, 0: context.DeadlineExceeded} {
		w := configure(t, t.TempDir()+"/response.db", newSessions(), nil)
		if w.Service.cfg.StoreTimeout = time.Second; want != nil {
			w.Service.cfg.StoreTimeout = time.Millisecond
		}
		w.leave(7)
		w.Service.store = slowStore{w.Service.store, few}
		if err := w.sweep(t.Context()); !errors.Is(err, want) {
			t.Fatalf("few %d: %v", few, err)
		}
		for i := range 7 {
			state := responsev1.Response_STATE_INTERRUPTED
			if want != nil {
				state = responsev1.Response_STATE_RUNNING
			}
			equal(t, w.get(fmt.Sprint("resp_", i)).GetState().String(), state.String())
		}
	}
}

// Answers of which there was no time to ask the ledger wait for the next sweep.
func TestSpentByInTime(t *testing.T) {
	t.Parallel()
	w := open(t)
	left := w.leave(3)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.model.settles(func(requestID string) ([]*gptv1.Attempt, error) {
		if requestID == "req_2" {
			cancel()
			return nil, context.Canceled
		}
		return []*gptv1.Attempt{row("att", "resp"+requestID[3:], gptv1.Attempt_STATE_SETTLED, 7, 3)}, nil
	})
	asked, attempts := w.spentBy(ctx, left)
	equal(t, fmt.Sprint(len(asked), len(attempts)), "2 2")
	w.model.settles(func(string) ([]*gptv1.Attempt, error) { return nil, errors.New("away") })
	asked, attempts = w.spentBy(t.Context(), left)
	equal(t, fmt.Sprint(len(asked), len(attempts)), "3 0")
}
