package path

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/tests/harness/face"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

// The same key with the same body makes one call, after the answer and while it
// is made; with another body it is a conflict.
func testIdempotency(t *testing.T, w *world) {
	eachWay(t, func(t *testing.T, f face.Face, stream bool, scene string) {
		release := make(chan struct{})
		w.provider.Script(scene, provider.Script{Steps: []provider.Step{provider.Text("only "), provider.Wait(release), provider.Text("once")}})
		ask := face.Ask{Model: openAIModel, Text: provider.Prompt(scene), Stream: stream, Session: w.newSession(t), IdempotencyKey: scene}
		answers := make(chan face.Answer, 2)
		failed := make(chan error, 2)
		for range 2 {
			go func() {
				answer, err := f.Ask(limit(t), w.Mesh, ask)
				answers <- answer
				failed <- err
			}()
		}
		w.provider.Await(t, scene, 0)
		close(release)
		names := map[string]bool{}
		for range 2 {
			answer := <-answers
			if err := <-failed; err != nil || !answer.Complete || answer.Text != "only once" {
				t.Fatalf("%v %+v %+v", err, answer.Error, answer)
			}
			names[answer.RequestID] = true
		}
		if again := w.ask(t, f, ask); !again.Complete || again.Text != "only once" {
			t.Errorf("%+v %+v", again.Error, again)
		} else {
			names[again.RequestID] = true
		}
		if calls := w.provider.Calls(scene); len(calls) != 1 || len(names) != 1 {
			t.Errorf("%d calls and %d requests for one key, want one of each", len(calls), len(names))
		}
		if lines, err := w.messages(limit(t), ask.Session); err != nil || len(lines) != 2 {
			t.Errorf("the session has %q, %v", lines, err)
		}
		ask.Text = "something else " + ask.Text
		if other := w.ask(t, f, ask); other.Status != http.StatusConflict && other.Status != http.StatusUnprocessableEntity {
			t.Errorf("another body with the same key: %+v %+v", other.Error, other)
		}
	})
}

// A detached turn is answered although nobody reads, and can be watched by
// several, from anywhere in it.
func testDetached(t *testing.T, w *world) {
	scene, session := t.Name(), w.newSession(t)
	release := make(chan struct{})
	w.provider.Script(scene, provider.Script{Steps: []provider.Step{provider.Text("one "), provider.Wait(release), provider.Text("two")}})
	submit := face.Submission(face.Ask{Model: openAIModel, Text: provider.Prompt(scene), Stream: true, Session: session})
	got, err := w.Request().SubmitDetached(limit(t), &requestv1.SubmitDetachedRequest{Submit: submit})
	if err != nil {
		t.Fatal(err)
	}
	id := got.GetRequest().GetResponseId()
	first := make(chan struct{}, 16)
	texts := make(chan string, 3)
	for range 3 {
		go func() {
			var text strings.Builder
			complete := false
			err := w.Response().WatchResponse(limit(t), &responsev1.WatchResponseRequest{ResponseId: id}, func(r *responsev1.WatchResponseResponse) error {
				for _, e := range r.GetChunk().GetEvents() {
					switch kind := e.GetKind().(type) {
					case *conversationv1.Event_Text:
						text.WriteString(kind.Text.GetText())
						first <- struct{}{}
					case *conversationv1.Event_Finished:
						complete = true
					}
				}
				return nil
			})
			texts <- fmt.Sprint(text.String(), complete, err)
		}()
	}
	select {
	case <-first:
	case text := <-texts:
		t.Fatalf("a watcher ended before the answer did: %s", text)
	}
	close(release)
	for range 3 {
		if diff := cmp.Diff(fmt.Sprint("one two", true, error(nil)), <-texts); diff != "" {
			t.Errorf("a watcher saw (-want +got):\n%s", diff)
		}
	}
	w.wantState(t, session, requestv1.Request_STATE_COMPLETED)
	if lines, err := w.messages(limit(t), session); err != nil || len(lines) != 2 {
		t.Errorf("the session has %q, %v", lines, err)
	}
}

// One request id stands in the log of every process on the way.
func testRequestID(t *testing.T, w *world) {
	eachWay(t, func(t *testing.T, f face.Face, stream bool, scene string) {
		id := "test-" + strings.NewReplacer("/", "-", "#", "-").Replace(scene)
		answer := w.ask(t, f, face.Ask{Model: openAIModel, Text: provider.Prompt(scene), Stream: stream, RequestID: id})
		if !answer.Complete {
			t.Fatalf("%+v", answer)
		}
		if answer.Header != nil && answer.Header.Get("X-Request-Id") != id {
			t.Errorf("the answer names request id %q, want %q", answer.Header.Get("X-Request-Id"), id)
		}
		for _, room := range []string{"request", "response", "gpt"} {
			process := w.Of(room)
			eventually(t, func() error {
				for _, entry := range process.Log() {
					if entry["request_id"] == id {
						return nil
					}
				}
				return fmt.Errorf("the log of %s does not hold request id %s", process.Name, id)
			})
		}
	})
}

// Every process shows its metrics on the admin address, with counts that grow.
func testMetrics(t *testing.T, w *world) {
	scene := t.Name()
	if answer := w.ask(t, face.OpenAI{}, face.Ask{Model: openAIModel, Text: provider.Prompt(scene)}); !answer.Complete {
		t.Fatalf("%+v", answer)
	}
	for _, p := range w.Processes {
		resp, err := w.HTTP().Get("http://" + p.Admin + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %v", p.Name, resp.StatusCode, err)
		}
		if !strings.Contains(string(body), "\ngptmesh_") || !strings.Contains(string(body), "\ngo_goroutines ") {
			t.Errorf("%s: neither gptmesh's own metrics nor Go's in\n%s", p.Name, body)
		}
	}
}
