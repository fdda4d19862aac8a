package response

import (
	"context"
	"errors"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/durable"
	"github.com/gptmesh/gptmesh/wire"
)

// heldWrite is a write that is durable, or fails, when the test says so.
type heldWrite struct {
	over chan struct{}
	err  error
}

func (w *heldWrite) Wait(ctx context.Context) error {
	select {
	case <-w.over:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *heldWrite) Written(context.Context) error { return nil }

// TestSessionBehind: where the session's writes come behind the answer's in one journal,
// the append waits for none of the turn's writes; its intent is settled when they are
// durable, and stays where they fail.
func TestSessionBehind(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"durable": nil, "failed": errors.New("the disk is gone")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t, func(cfg *Config) { cfg.RetryInterval = time.Hour })
			w.deps.SessionBehind = true
			w.newSession("s1")
			pending := func() int {
				list, err := w.store.Pending(t.Context(), time.Now().Add(time.Hour), 9)
				if err != nil {
					t.Error(err)
				}
				return len(list)
			}
			var group durable.Group
			held := &heldWrite{over: make(chan struct{}), err: failure}
			group.Add(held)
			_, err := w.generate(durable.With(t.Context(), &group), &responsev1.GenerateRequest{
				ResponseId: "resp_1", SessionId: "s1", NewMessages: []*conversationv1.Message{user("hi")},
			}, func(c *conversationv1.Chunk) error {
				if wire.Last(c) == nil {
					return nil
				}
				equal(t, w.story("s1"), "USER:hi ASSISTANT:Hello")
				if n := pending(); n != 1 {
					t.Errorf("%d intents while nothing is durable", n)
				}
				close(held.over)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if failure == nil {
				eventually(t, "the intent is settled", func() bool { return pending() == 0 })
				return
			}
			if err := w.Close(); err != nil { // which settles what is to be
				t.Fatal(err)
			}
			if n := pending(); n != 1 {
				t.Errorf("%d intents after a write that failed", n)
			}
		})
	}
}
