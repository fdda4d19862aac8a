package request

import (
	"context"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/services/response/responsetest"
)

// A classifier of the same process that has answered once is asked by the row of the
// request where that comes before its end, else by its end.
func TestGuardLooksInPlace(t *testing.T) {
	t.Parallel()
	for name, delay := range map[string]time.Duration{"by the end": time.Hour, "by the row": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looks := make(chan struct{}, 1)
			w := open(t, options{
				near:       true,
				classifier: &watchman{screen: func(context.Context) error { looks <- struct{}{}; return nil }},
				config:     func(c *Config) { c.RowDelay = delay },
			})
			w.screened.Store(true)
			w.response.Play(func(ctx context.Context, _ *responsev1.GenerateRequest, send func(...*conversationv1.Event) error) error {
				if delay < time.Second {
					<-looks
				} else if len(looks) > 0 {
					t.Error("looked at before its end")
				}
				return send(append([]*conversationv1.Event{responsetest.Started(), responsetest.Text("Hello")}, responsetest.Ending()...)...)
			})
			req := whole()
			req.Turn.Messages[0] = message("user", "be evil")
			g := w.submit(t.Context(), req)
			if g.err != nil {
				t.Fatal(g.err)
			}
			if report := w.reported(g.requests[0].GetId()); len(report.GetFindings()) != 1 {
				t.Errorf("got %v", report)
			}
		})
	}
}
