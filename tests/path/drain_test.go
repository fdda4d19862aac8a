package path

import (
	"errors"
	"fmt"
	"net/http"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/face"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

// carriers are the processes that a stream runs through.
func (w *world) carriers() []*harness.Process {
	var out []*harness.Process
	for _, p := range w.Processes {
		if slices.ContainsFunc(p.Rooms, func(room string) bool { return room != "session" && room != "classifier" }) {
			out = append(out, p)
		}
	}
	return out
}

// held is a stream that waits in its middle.
type held struct {
	face   face.Face
	scene  string
	answer face.Answer
	err    error
	over   chan struct{}
}

// hold begins a stream over each face that leads through a process, and returns
// when each has its first text.
func (w *world) hold(t *testing.T, p *harness.Process, session string, then ...provider.Step) []*held {
	t.Helper()
	var all []*held
	for _, f := range face.All() {
		if p.Name == "gateway" && f == face.Face(face.GRPC{}) {
			continue // native clients call the request room itself
		}
		h := &held{face: f, scene: t.Name() + " " + f.Name(), over: make(chan struct{})}
		w.provider.Script(h.scene, provider.Script{Steps: []provider.Step{provider.Text("one ")}}.Then(then...))
		begun := make(chan struct{}, 16)
		go func() {
			defer close(h.over)
			h.answer, h.err = f.Ask(limit(t), w.Mesh, face.Ask{
				Model: openAIModel, Text: provider.Prompt(h.scene), Stream: true, Session: session, OnText: func(string) { begun <- struct{}{} },
			})
		}()
		waited(t, "the first text", begun)
		all = append(all, h)
	}
	return all
}

// TestDrain shows that SIGTERM lets streams end: the process stops to be ready
// at once, finishes what runs, and leaves with 0.
func TestDrain(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, c harness.Combination) {
		w := start(t, c)
		for _, p := range w.carriers() {
			t.Run(p.Name, func(t *testing.T) {
				release := make(chan struct{})
				streams := w.hold(t, p, "new", provider.Wait(release), provider.Text("two"))
				p.Terminate(t)
				eventually(t, func() error {
					resp, err := w.HTTP().Get("http://" + p.Admin + "/readyz")
					if err != nil {
						return nil // it does not even listen any more
					}
					_ = resp.Body.Close()
					if resp.StatusCode == http.StatusOK {
						return errors.New("still ready")
					}
					return nil
				})
				close(release)
				for _, s := range streams {
					<-s.over
					if s.err != nil || !s.answer.Complete || s.answer.Text != "one two" {
						t.Errorf("%s: a stream was cut off by the drain: %v %+v %+v", s.face.Name(), s.err, s.answer.Error, s.answer)
					}
				}
				if code := p.AwaitExit(t); code != 0 {
					t.Errorf("the process ended with %d", code)
				}
				p.Restart(t)
				w.AwaitReady(t)
			})
		}
	})
}

// TestHangUp shows that a process whose terminal goes lets its streams end, as after
// SIGTERM.
func TestHangUp(t *testing.T) {
	t.Parallel()
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("under nohup it is ignored, here and in what is started here")
	}
	w := start(t, harness.Combination{})
	p, release := w.Processes[0], make(chan struct{})
	streams := w.hold(t, p, "new", provider.Wait(release), provider.Text("two"))
	p.Signal(t, syscall.SIGHUP)
	eventually(t, func() error {
		if !strings.Contains(p.Output(), syscall.SIGHUP.String()) {
			return errors.New("it does not say that it stops")
		}
		return nil
	})
	close(release)
	for _, s := range streams {
		<-s.over
		if s.err != nil || !s.answer.Complete || s.answer.Text != "one two" {
			t.Errorf("%s: a stream was cut off: %v %+v %+v", s.face.Name(), s.err, s.answer.Error, s.answer)
		}
	}
	if code := p.AwaitExit(t); code != 0 {
		t.Errorf("the process ended with %d", code)
	}
}

// TestDrainLimit shows that a stream that does not end within the limit is told
// so, is no finished answer, and leaves nothing in its session.
func TestDrainLimit(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, c harness.Combination) {
		config := settings()
		config["shutdown"] = map[string]any{"drain_timeout": "500ms"}
		w := startWith(t, harness.Config{Combination: c, Settings: config})
		for _, p := range w.carriers() {
			t.Run(p.Name, func(t *testing.T) {
				session := w.newSession(t)
				streams := w.hold(t, p, session, provider.Stall())
				p.Terminate(t)
				if code := p.AwaitExit(t); code != 0 {
					t.Errorf("the process ended with %d", code)
				}
				for _, s := range streams {
					<-s.over
					if s.err != nil || s.answer.Complete || s.answer.Error == nil {
						t.Errorf("%s: the client was not told of the end: %v %+v %+v", s.face.Name(), s.err, s.answer.Error, s.answer)
					}
					w.provider.Await(t, s.scene, 0).MustLoseClient(t)
				}
				p.Restart(t)
				w.AwaitReady(t)
				eventually(t, func() error {
					list, err := w.requestsOf(limit(t), session)
					if err != nil {
						return err
					}
					for _, r := range list {
						if r.GetFinishTime() == nil || r.GetState() == requestv1.Request_STATE_COMPLETED {
							return fmt.Errorf("a request that was cut off is %v", r.GetState())
						}
					}
					if len(list) != len(streams) {
						return fmt.Errorf("%d requests, want %d", len(list), len(streams))
					}
					return nil
				})
				if lines, err := w.messages(limit(t), session); err != nil || len(lines) != 0 {
					t.Errorf("turns that were cut off left %q, %v", lines, err)
				}
			})
		}
	})
}
