package caller_test

import (
	"testing"

	"github.com/gptmesh/gptmesh/gen/caller"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"google.golang.org/grpc"
)

// TestKeeping: what came over a connection may be kept and does not change; what
// a server of this process sends may not be, though it calls one elsewhere.
func TestKeeping(t *testing.T) {
	t.Parallel()
	far := &scripted{watch: func(_ *sessionv1.WatchSessionRequest, stream grpc.ServerStreamingServer[sessionv1.WatchSessionResponse]) error {
		for _, title := range []string{"a", "b", "c"} {
			if err := stream.Send(&sessionv1.WatchSessionResponse{Session: &sessionv1.Session{Title: title}}); err != nil {
				return err
			}
		}
		return nil
	}}
	for name, reach := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := reach(t, far, &caller.Chain{})
			watch := func(c sessionv1.SessionServiceCaller) (kept []*sessionv1.Session, may bool) {
				var k caller.Keeping
				err := c.WatchSession(k.With(t.Context()), &sessionv1.WatchSessionRequest{}, func(m *sessionv1.WatchSessionResponse) error {
					may = k.May()
					kept = append(kept, m.GetSession())
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				return kept, may
			}
			kept, may := watch(c)
			if may != (name != "local") {
				t.Errorf("may keep: %t", may)
			}
			if may && (kept[0].GetTitle() != "a" || kept[1].GetTitle() != "b" || kept[2].GetTitle() != "c") {
				t.Errorf("kept %v", kept)
			}
			near := &scripted{watch: func(req *sessionv1.WatchSessionRequest, stream grpc.ServerStreamingServer[sessionv1.WatchSessionResponse]) error {
				return c.WatchSession(stream.Context(), req, stream.Send)
			}}
			if _, may := watch(sessionv1.LocalSessionService(near, &caller.Chain{})); may {
				t.Error("a server's messages may be kept because it got them from elsewhere")
			}
		})
	}
}
