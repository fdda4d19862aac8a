package requesttest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/services/request/requesttest"
	"github.com/gptmesh/gptmesh/wire"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFakeKeepsTheContract(t *testing.T) {
	t.Parallel()
	fake := requesttest.New()
	requests := requestv1.LocalRequestService(fake, nil)
	req := &requestv1.SubmitRequest{Turn: &conversationv1.Turn{Model: "m"}, IdempotencyKey: "k"}
	submit := func() string {
		var grammar wire.Grammar
		var states []string
		n := int64(0)
		err := requests.Submit(t.Context(), req, func(m *requestv1.SubmitResponse) error {
			if n++; m.GetChunk().GetSequence() != n {
				return errors.New("gap")
			}
			for _, event := range m.GetChunk().GetEvents() {
				if err := grammar.Accept(event); err != nil {
					return err
				}
			}
			if m.GetRequest() != nil {
				states = append(states, m.GetRequest().GetState().String())
			}
			return nil
		})
		return fmt.Sprint(n, states, grammar.Ended(), err)
	}
	if got, want := submit(), "3 [STATE_ACCEPTED STATE_COMPLETED] true <nil>"; got != want {
		t.Errorf("got %s", got)
	}
	if got, want := submit(), "3 [STATE_COMPLETED STATE_COMPLETED] true <nil>"; got != want {
		t.Errorf("again: %s", got)
	}
	req = &requestv1.SubmitRequest{Turn: &conversationv1.Turn{Model: "m"}}
	fake.Play(requesttest.Fails(errors.New("boom")))
	if err := requests.Submit(t.Context(), req, func(*requestv1.SubmitResponse) error { return nil }); err == nil {
		t.Error("no error")
	}
	reached := make(chan struct{})
	fake.Play(func(ctx context.Context, _ *requestv1.SubmitRequest, _ func(*conversationv1.Chunk) error) error {
		close(reached)
		<-ctx.Done()
		return ctx.Err()
	})
	detached, err := requests.SubmitDetached(t.Context(), &requestv1.SubmitDetachedRequest{Submit: req})
	if err != nil {
		t.Fatal(err)
	}
	<-reached
	out, err := requests.CancelRequest(t.Context(), &requestv1.CancelRequestRequest{RequestId: detached.GetRequest().GetId()})
	if err != nil || out.GetRequest().GetState() != requestv1.Request_STATE_CANCELLED {
		t.Fatal(out, err)
	}
	fake.Wait()
}
