package path

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/face"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

// script is what the calls of a scene are answered, in turn; the last one's
// holds for all that follow.
func (w *world) script(scene string, each ...provider.Script) {
	w.provider.ScriptEach(scene, func(n int) provider.Script { return each[min(n, len(each)-1)] })
}

// once checks that a key was not worth a second call of the provider.
func (w *world) once(t *testing.T, scene string) {
	t.Helper()
	if calls := w.provider.Calls(scene); len(calls) != 1 {
		t.Errorf("%d calls of the provider for one key", len(calls))
	}
}

// wantUnknown sends a key again whose first call ended before its answer came:
// the client is told that nobody knows what the provider did.
func (w *world) wantUnknown(t *testing.T, f face.Face, ask face.Ask, scene string) {
	t.Helper()
	for range 2 {
		again := w.ask(t, f, ask)
		told := again.Error != nil && (again.Error.Code == "" || strings.EqualFold(again.Error.Code, "OUTCOME_UNKNOWN"))
		if again.Complete || again.Status != http.StatusConflict || !told {
			t.Errorf("status %d, %+v %+v", again.Status, again.Error, again)
		}
	}
	w.once(t, scene)
}

// askUntilCalled asks and leaves as soon as the provider was called.
func (w *world) askUntilCalled(t *testing.T, f face.Face, ask face.Ask, scene string) *provider.Call {
	t.Helper()
	ctx, leave := context.WithCancel(limit(t))
	defer leave()
	over := make(chan face.Answer, 1)
	go func() {
		answer, _ := f.Ask(ctx, w.Mesh, ask)
		over <- answer
	}()
	call := w.provider.Await(t, scene, 0)
	leave()
	if answer := <-over; answer.Complete {
		t.Errorf("a client that left was told that the answer is complete: %+v", answer)
	}
	return call
}

// The same key is sent again after its first call ended before the first chunk,
// while a provider may be at work: there is one call, ever.
func testKeyAgain(t *testing.T, w *world) {
	eachWay(t, func(t *testing.T, f face.Face, stream bool, _ string) {
		t.Run("after leaving", func(t *testing.T) {
			scene := t.Name()
			w.script(scene, provider.Script{Steps: []provider.Step{provider.Stall()}}, provider.Say("twice"))
			ask := face.Ask{Model: openAIModel, Text: provider.Prompt(scene), Stream: stream, IdempotencyKey: scene}
			w.askUntilCalled(t, f, ask, scene).MustLoseClient(t)
			w.wantUnknown(t, f, ask, scene)
		})
		t.Run("after leaving work that goes on", func(t *testing.T) {
			scene, release := t.Name(), make(chan struct{})
			w.script(scene, provider.Script{Steps: []provider.Step{provider.Wait(release), provider.Text("only once")}}, provider.Say("twice"))
			ask := face.Ask{Model: openAIModel, Text: provider.Prompt(scene), Stream: stream, IdempotencyKey: scene, OnDisconnect: "drain"}
			w.askUntilCalled(t, f, ask, scene)
			attached := make(chan face.Answer, 1)
			go func() {
				answer, _ := f.Ask(limit(t), w.Mesh, ask)
				attached <- answer
			}()
			close(release)
			for _, answer := range []face.Answer{<-attached, w.ask(t, f, ask)} {
				if !answer.Complete || answer.Text != "only once" {
					t.Errorf("%+v %+v", answer.Error, answer)
				}
			}
			w.once(t, scene)
		})
		t.Run("after a deadline", func(t *testing.T) {
			for timeout := 200 * time.Millisecond; ; timeout *= 2 {
				scene := t.Name() + timeout.String()
				w.script(scene, provider.Script{Steps: []provider.Step{provider.Stall()}}, provider.Say("twice"))
				ask := face.Ask{Model: openAIModel, Text: provider.Prompt(scene), Stream: stream, IdempotencyKey: scene, Timeout: timeout}
				first := w.ask(t, f, ask)
				if first.Complete || first.Error == nil || first.Status != http.StatusGatewayTimeout {
					t.Errorf("status %d, %+v %+v", first.Status, first.Error, first)
				}
				if len(w.provider.Calls(scene)) == 0 && timeout < 10*time.Second {
					continue // a slow machine: nothing was begun
				}
				ask.Timeout = 0
				w.wantUnknown(t, f, ask, scene)
				return
			}
		})
		t.Run("after a refusal", func(t *testing.T) {
			scene := t.Name()
			w.script(scene, provider.Script{Steps: []provider.Step{provider.Refuse(http.StatusBadGateway, "")}}, provider.Script{Steps: []provider.Step{provider.Refuse(http.StatusBadGateway, "")}}, provider.Say("at last"))
			ask := face.Ask{Model: openAIModel, Text: provider.Prompt(scene), Stream: stream, IdempotencyKey: scene}
			first := w.ask(t, f, ask)
			for first.Error != nil { // the mesh itself may have tried again
				first = w.ask(t, f, ask)
			}
			if !first.Complete || first.Text != "at last" {
				t.Errorf("%+v %+v", first.Error, first)
			}
		})
	})
}

// TestKeyOfAKilledProcess kills each process on the way between the call of the
// provider and the first chunk, and sends the key again.
func TestKeyOfAKilledProcess(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, c harness.Combination) {
		config := settings()
		// None of the answers goes on, and that of a process which died is given up when
		// twice the time for its row is over.
		config["request"].(map[string]any)["resume_timeout"] = "1s"
		config["request"].(map[string]any)["store_timeout"] = "5s"
		w := startWith(t, harness.Config{Combination: c, Settings: config})
		for _, p := range w.carriers() {
			t.Run(p.Name, func(t *testing.T) {
				type turn struct {
					face face.Face
					ask  face.Ask
				}
				var turns []turn
				over := make(chan face.Answer, 16)
				for _, f := range face.All() {
					for _, stream := range []bool{true, false} {
						if p.Name == "gateway" && f == face.Face(face.GRPC{}) {
							continue // native clients call the request room itself
						}
						scene := t.Name() + f.Name()
						if stream {
							scene += " streamed"
						}
						w.script(scene, provider.Script{Steps: []provider.Step{provider.Stall()}}, provider.Say("twice"))
						ask := face.Ask{Model: openAIModel, Text: provider.Prompt(scene), Stream: stream, IdempotencyKey: scene}
						turns = append(turns, turn{f, ask})
						go func() {
							answer, _ := f.Ask(limit(t), w.Mesh, ask)
							over <- answer
						}()
						w.provider.Await(t, scene, 0)
					}
				}
				p.Kill()
				for range turns {
					if answer := <-over; answer.Complete {
						t.Errorf("a broken connection gave a whole answer: %+v", answer)
					}
				}
				p.Restart(t)
				w.AwaitReady(t)
				for _, turn := range turns {
					for range 2 {
						again, err := turn.face.Ask(limit(t), w.Mesh, turn.ask)
						if err != nil || again.Complete || again.Error == nil {
							t.Errorf("%s: %v %+v %+v", turn.ask.IdempotencyKey, err, again.Error, again)
						}
					}
					w.once(t, turn.ask.IdempotencyKey)
				}
			})
		}
	})
}
