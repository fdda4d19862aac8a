package path

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/face"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

// flushing starts one process on SQLite whose store flushes that way.
func flushing(t *testing.T, flush string) *world {
	t.Helper()
	config := settings()
	config["store"] = map[string]any{"flush": flush}
	return startWith(t, harness.Config{Combination: harness.Combination{Shape: harness.Up, Store: harness.SQLite}, Settings: config})
}

// TestBehind shows that a process whose turns do not wait for the disk answers as any
// does, and that kill -9 takes nothing that it acknowledged: whole answers, streamed
// ones, and those amid which it comes.
func TestBehind(t *testing.T) {
	t.Parallel()
	w := flushing(t, "behind")
	var mu sync.Mutex
	answers := map[string]face.Answer{} // by scene
	t.Run("answers", func(t *testing.T) {
		eachWay(t, func(t *testing.T, f face.Face, stream bool, scene string) {
			w.provider.Script(scene, provider.Say(hello))
			answer := w.ask(t, f, face.Ask{Model: openAIModel, Text: provider.Prompt(scene), Stream: stream, Session: "new"})
			if answer.Status != http.StatusOK || !answer.Complete || answer.Text != hello {
				t.Fatalf("%d %+v %+v", answer.Status, answer.Error, answer)
			}
			w.wantKept(t, answer, scene)
			mu.Lock()
			defer mu.Unlock()
			answers[scene] = answer
		})
	})
	// The last is acknowledged in the moment of the kill.
	scene := t.Name() + "#last"
	w.provider.Script(scene, provider.Say(hello))
	answers[scene] = w.ask(t, face.OpenAI{}, face.Ask{Model: openAIModel, Text: provider.Prompt(scene), Session: "new"})
	p := w.Processes[0]
	p.Kill()
	p.Restart(t)
	w.AwaitReady(t)
	for scene, answer := range answers {
		w.wantKept(t, answer, scene)
	}
	t.Run("amid streams", func(t *testing.T) { w.killAmidStreams(t, p) })
}

// wantKept expects an answer to a scene to be where it belongs, once.
func (w *world) wantKept(t *testing.T, answer face.Answer, scene string) {
	t.Helper()
	lines, err := w.messages(limit(t), answer.SessionID)
	if diff := cmp.Diff([]string{"user: " + provider.Prompt(scene), "assistant: " + hello}, lines); diff != "" || err != nil {
		t.Errorf("%v messages (-want +got):\n%s", err, diff)
	}
	if r := w.request(t, answer.RequestID); r.GetState() != requestv1.Request_STATE_COMPLETED {
		t.Errorf("the request is %v", r.GetState())
	}
	if r := w.response(t, answer.ResponseID); len(r.GetChoices()) != 1 || textOf(r.GetChoices()[0].GetMessage()) != hello {
		t.Errorf("the answer is %v", r)
	}
	rows, err := w.attempts(limit(t), answer.RequestID)
	if err == nil {
		err = settledOnce(rows, gptv1.Attempt_OUTCOME_COMPLETED)
	}
	if err != nil {
		t.Error(err)
	}
}

// manyEnds is how many streams end at once: many more than may be on their way into
// the store at a time.
const manyEnds = 300

// TestKillAmidEnds lets 300 streams end at once and kills the process when some of them
// are through: every answer that a client saw the end of is whole, in its session once;
// of every other one it is so, or nothing of it is there.
func TestKillAmidEnds(t *testing.T) {
	t.Parallel()
	for _, flush := range []string{"answers", "behind"} {
		t.Run(flush, func(t *testing.T) {
			t.Parallel()
			w := flushing(t, flush)
			w.killAmidEnds(t, manyEnds/30)
		})
	}
}

// killAmidEnds kills the process when so many clients have seen their end.
func (w *world) killAmidEnds(t *testing.T, seen int) {
	p, faces := w.Processes[0], face.All()
	streams, release := make([]*stream, manyEnds), make(chan struct{})
	begun, ended := make(chan struct{}, manyEnds), make(chan struct{}, manyEnds)
	var running sync.WaitGroup
	for i := range streams {
		s := &stream{scene: fmt.Sprintf("%s#%d", t.Name(), i), session: w.newSession(t)}
		streams[i] = s
		var script provider.Script
		for j := range streamWords {
			if j == streamWords-1 {
				script = script.Then(provider.Wait(release))
			}
			script = script.Then(provider.Text(fmt.Sprintf("%s-%d ", s.scene, j)))
		}
		w.provider.Script(s.scene, script)
		ctx, f := limit(t), faces[i%len(faces)]
		running.Go(func() {
			var once sync.Once
			s.answer, s.err = f.Ask(ctx, w.Mesh, face.Ask{
				Model: openAIModel, Text: provider.Prompt(s.scene), Stream: true, Session: s.session,
				OnText: func(string) { once.Do(func() { begun <- struct{}{} }) },
			})
			if s.answer.Complete {
				ended <- struct{}{}
			}
		})
	}
	for range streams {
		waited(t, "the first text of a stream", begun)
	}
	close(release)
	for range seen {
		waited(t, "the end of a stream", ended)
	}
	p.Kill()
	p.Restart(t)
	w.AwaitReady(t)
	running.Wait()
	counts := map[string]int{}
	for _, s := range streams {
		counts[w.checkStream(t, s, p)]++
	}
	t.Logf("%d of %d saw their end: %v", seen+len(ended), manyEnds, counts)
}
