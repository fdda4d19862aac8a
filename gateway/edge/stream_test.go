package edge_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
)

// A queued piece leaves with the next one, with a heartbeat, or with the end.
func TestQueue(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		then func(s *edge.Stream) error
		want string // flushed, and what is left for the end
	}{
		"a piece":     {func(s *edge.Stream) error { return s.Send([]byte("two")) }, "onetwo"},
		"nothing":     {func(s *edge.Stream) error { return s.Send(nil) }, "one"},
		"queued":      {func(s *edge.Stream) error { return errors.Join(s.Queue([]byte("two")), s.Send([]byte("three"))) }, "onetwothree"},
		"then others": {func(s *edge.Stream) error { return errors.Join(s.Send([]byte("two")), s.Send([]byte("three"))) }, "onetwo|three"},
		"the last":    {func(s *edge.Stream) error { return s.Last([]byte("two")) }, "onetwo"},
		"no last":     {func(s *edge.Stream) error { return s.Last(nil) }, "one"},
		"a heartbeat": {func(s *edge.Stream) error { time.Sleep(40 * time.Second); return s.Send([]byte("two")) }, "one: ping\n\n|two"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(edge.Route{Method: "GET", Pattern: "/s", Handle: func(x *edge.Exchange) {
					s := x.Stream(edge.StreamOptions{ContentType: "text/event-stream", Pause: 15 * time.Second, Ping: []byte(": ping\n\n"), Throughout: true})
					defer s.Close()
					if err := s.Queue([]byte("one")); err != nil || !s.Opened() {
						t.Error(err)
					}
					if err := c.then(s); err != nil {
						t.Error(err)
					}
				}})}}, nil)
				w := &recorder{ResponseRecorder: httptest.NewRecorder()}
				r := httptest.NewRequest("GET", "/s", nil)
				r.Host = "localhost"
				e.ServeHTTP(w, r)
				if got := strings.Join(w.flushed, "|"); got != c.want {
					t.Errorf("%q, want %q", got, c.want)
				}
			})
		})
	}
}
