package response

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc/codes"
)

// TestOneEnd is the property: whatever model, client and session do, a client
// sees chunks 1, 2, 3 … in the order of the grammar and one end, or a status
// and no chunk; and the row and the log agree with it.
func TestOneEnd(t *testing.T) {
	t.Parallel()
	w := open(t, func(c *Config) { c.MaxAnswerBytes = 3000 })
	for i := range 300 {
		random := rand.New(rand.NewPCG(7, uint64(i)))
		id := fmt.Sprint("resp_", i)
		session := fmt.Sprint("s", i)
		w.newSession(session)
		ctx, cancel := context.WithCancel(t.Context())
		leaveAt := int64(-1)
		if random.IntN(3) == 0 {
			leaveAt = int64(random.IntN(5))
		}
		if random.IntN(5) == 0 {
			w.session.Fail("AppendMessages", fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE, "no"))
		}
		w.model.plays(func(ctx context.Context, _ *gptv1.GenerateRequest, send func(*conversationv1.Chunk) error) error {
			begun := false
			for n := 0; ; n++ {
				var c *conversationv1.Chunk
				switch k := random.IntN(24); {
				case !begun && k < 20:
					c, begun = typed(started(), text("a")), true
				case k < 14:
					c = typed(text("b"))
				case k == 14:
					c = typed(text(strings.Repeat("c", 1000)))
				case k < 18:
					c = typed(stopped(), finishedEvent())
				case k == 18:
					c = typed(failedEvent(errors.New("x")))
				case k == 19:
					return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "x")
				case k == 20:
					return nil
				case k == 21:
					cancel()
					continue
				default:
					c = typed(stopped())
				}
				if err := send(c); err != nil {
					return err
				}
				if n > 100 {
					return nil
				}
			}
		})
		policy := responsev1.DisconnectPolicy(random.IntN(4))
		chunks, err := w.generate(ctx, &responsev1.GenerateRequest{ResponseId: id, SessionId: session, OnDisconnect: policy},
			func(c *conversationv1.Chunk) error {
				if c.GetSequence() == leaveAt {
					return errors.New("I leave")
				}
				return nil
			})
		cancel()
		if r := w.runningHere("local", id); r != nil {
			<-r.done.Opened()
		}
		ended := checkOrder(t, chunks)
		r := w.get(id)
		if r.GetState() == responsev1.Response_STATE_RUNNING {
			t.Fatalf("%d: still running", i)
		}
		if err == nil && !ended {
			t.Fatalf("%d: OK without an end: %s", i, show(chunks))
		}
		log, err := w.watch(t.Context(), id, 0, 0)
		if err != nil || !checkOrder(t, log) || int64(len(log)) != r.GetLastSequence() {
			t.Fatalf("%d: log %s, row %v, %v", i, show(log), r, err)
		}
		if !strings.HasPrefix(show(log), show(chunks)) {
			t.Fatalf("%d: the client saw %s, the log says %s", i, show(chunks), show(log))
		}
		if done := wire.Last(log[len(log)-1]).GetFinished() != nil; done != (r.GetState() == responsev1.Response_STATE_COMPLETED) {
			t.Fatalf("%d: %v with %s", i, r.GetState(), show(log))
		}
		want := 0
		if r.GetState() == responsev1.Response_STATE_COMPLETED {
			want = 1
		}
		eventually(t, "the session has the answer", func() bool { return len(w.session.Messages(session)) >= want })
		if n := len(w.session.Messages(session)); n != want {
			t.Fatalf("%d: %d messages for a %v answer", i, n, r.GetState())
		}
	}
}

func checkOrder(t *testing.T, chunks []*conversationv1.Chunk) (ended bool) {
	t.Helper()
	var grammar wire.Grammar
	for i, c := range chunks {
		if c.GetSequence() != int64(i+1) {
			t.Fatalf("sequence %d at %d", c.GetSequence(), i)
		}
		for _, event := range c.GetEvents() {
			if err := grammar.Accept(event); err != nil {
				t.Fatalf("%v in %s", err, show(chunks))
			}
		}
	}
	return grammar.Ended()
}
