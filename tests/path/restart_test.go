package path

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/face"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
	"google.golang.org/protobuf/testing/protocmp"
)

// TestRestart shows that everything that was kept is there again after all
// processes were stopped and started.
func TestRestart(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, c harness.Combination) {
		w := start(t, c)
		var answers []face.Answer
		for _, f := range face.All() {
			answer := w.ask(t, f, face.Ask{Model: openAIModel, Text: provider.Prompt(t.Name()), Stream: true, Session: "new"})
			if !answer.Complete {
				t.Fatalf("%+v %+v", answer.Error, answer)
			}
			answers = append(answers, answer)
		}
		for i := len(w.Processes) - 1; i >= 0; i-- {
			p := w.Processes[i]
			p.Terminate(t)
			if code := p.AwaitExit(t); code != 0 {
				t.Errorf("%s ended with %d after SIGTERM", p.Name, code)
			}
		}
		for _, p := range w.Processes {
			p.Begin(t)
		}
		w.AwaitReady(t)
		for _, answer := range answers {
			lines, err := w.messages(limit(t), answer.SessionID)
			if diff := cmp.Diff([]string{"user: " + provider.Prompt(t.Name()), "assistant: " + answer.Text}, lines); diff != "" || err != nil {
				t.Errorf("%v messages after the restart (-want +got):\n%s", err, diff)
			}
			if r := w.request(t, answer.RequestID); r.GetState() != requestv1.Request_STATE_COMPLETED {
				t.Errorf("the request is %v after the restart", r.GetState())
			}
			if r := w.response(t, answer.ResponseID); len(r.GetChoices()) != 1 || textOf(r.GetChoices()[0].GetMessage()) != answer.Text {
				t.Errorf("the answer is %v after the restart", r)
			}
			rows, err := w.attempts(limit(t), answer.RequestID)
			if err == nil {
				err = settledOnce(rows, gptv1.Attempt_OUTCOME_COMPLETED)
			}
			if err != nil {
				t.Error(err)
			}
		}
		// The conversation goes on where it was.
		again := w.ask(t, face.OpenAI{}, face.Ask{Model: openAIModel, Text: "And then? " + provider.Prompt(t.Name()), Session: answers[0].SessionID})
		if lines, err := w.messages(limit(t), answers[0].SessionID); !again.Complete || err != nil || len(lines) != 4 {
			t.Errorf("after the restart a turn left %q, %v %+v", lines, err, again)
		}
	})
}

// stream is one of the streams amid which a process is killed.
type stream struct {
	session string
	scene   string
	answer  face.Answer
	err     error
}

const (
	streamCount = 50
	streamWords = 12
)

// streamText is what the model says to one stream.
func streamText(scene string) string {
	text := ""
	for i := range streamWords {
		text += fmt.Sprintf("%s-%d ", scene, i)
	}
	return text
}

// TestKill kills each process amid 50 streams and starts it again: every answer
// that a client saw finished is whole in its session, exactly once; every other
// one is whole as well or marked as ended early, with nothing of it in its
// session; every call of the provider has its row.
func TestKill(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, c harness.Combination) {
		w := start(t, c)
		for _, p := range w.Processes {
			t.Run(p.Name, func(t *testing.T) { w.killAmidStreams(t, p) })
		}
	})
}

func (w *world) killAmidStreams(t *testing.T, p *harness.Process) {
	release := make(chan struct{})
	streams := make([]*stream, streamCount)
	faces := face.All()
	var running sync.WaitGroup
	begun := make(chan struct{}, streamCount)
	// An answer is over before the kill, held in its middle by it, or on its
	// way at that very time.
	for i := range streams {
		s := &stream{scene: fmt.Sprintf("%s#%d", t.Name(), i), session: w.newSession(t)}
		streams[i] = s
		script := provider.Script{}
		for j := range streamWords {
			if j == streamWords/2 && i%3 != 0 {
				script = script.Then(provider.Wait(release))
			}
			script = script.Then(provider.Text(fmt.Sprintf("%s-%d ", s.scene, j)))
			if i%3 == 1 {
				script = script.Then(provider.Pause(time.Duration(i) * time.Millisecond))
			}
		}
		w.provider.Script(s.scene, script)
		f := faces[i%len(faces)]
		running.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
			defer cancel()
			var once sync.Once
			s.answer, s.err = f.Ask(ctx, w.Mesh, face.Ask{
				Model: openAIModel, Text: provider.Prompt(s.scene), Stream: true, Session: s.session,
				OnText: func(string) { once.Do(func() { begun <- struct{}{} }) },
			})
		})
	}
	// Whoever has seen a token has a request, an answer and a ledger row.
	for range streams {
		waited(t, "the first text of a stream", begun)
	}
	// Those that are paced go on while the process is killed; those that are
	// held go on afterwards, where anybody is left to hear them.
	close(release)
	p.Kill()
	p.Restart(t)
	w.AwaitReady(t)
	running.Wait()

	counts := map[string]int{}
	for _, s := range streams {
		counts[w.checkStream(t, s, p)]++
	}
	t.Logf("killed %s: %v", p.Name, counts)
}

// answerState is the final state of an answer; unspecified where its process
// died before it was kept.
func (w *world) answerState(t *testing.T, id string) responsev1.Response_State {
	t.Helper()
	var state responsev1.Response_State
	eventually(t, func() error {
		got, err := w.Response().GetResponse(limit(t), &responsev1.GetResponseRequest{ResponseId: id})
		if face.Reason(err) == "RESPONSE_NOT_FOUND" {
			return nil
		}
		if state = got.GetResponse().GetState(); err == nil && state == responsev1.Response_STATE_RUNNING {
			err = fmt.Errorf("answer %s still runs", id)
		}
		return err
	})
	return state
}

// checkStream checks one stream after the restart of a process and says how it
// ended.
func (w *world) checkStream(t *testing.T, s *stream, killed *harness.Process) string {
	t.Helper()
	text := streamText(s.scene)
	if s.answer.Complete && s.answer.Text != text {
		t.Errorf("%s: an answer that looked whole was %q", s.scene, s.answer.Text)
	}
	var requests []*requestv1.Request
	eventually(t, func() error {
		var err error
		if requests, err = w.requestsOf(limit(t), s.session); err != nil {
			return err
		}
		for _, r := range requests {
			if r.GetFinishTime() == nil {
				return fmt.Errorf("%s: request %s is still %v", s.scene, r.GetId(), r.GetState())
			}
		}
		return nil
	})
	if len(requests) != 1 {
		t.Errorf("%s: %d requests were kept of one that had begun", s.scene, len(requests))
		return "lost"
	}
	lines, err := w.messages(limit(t), s.session)
	if err != nil {
		t.Fatal(err)
	}
	whole := []string{"user: " + provider.Prompt(s.scene), "assistant: " + text}
	state, answer := requests[0].GetState(), w.answerState(t, requests[0].GetResponseId())
	switch {
	case answer == responsev1.Response_STATE_COMPLETED:
		// What a client has seen the end of is there. Where the session room
		// was away, or nobody saw the end, it is brought there soon.
		if !s.answer.Complete || killed.Name == "session" {
			eventually(t, func() error {
				if lines, err = w.messages(limit(t), s.session); err == nil && len(lines) == 0 {
					err = fmt.Errorf("%s: completed, but the session is empty", s.scene)
				}
				return err
			})
		}
		if diff := cmp.Diff(whole, lines); diff != "" {
			t.Errorf("%s: completed, but the session has (-want +got):\n%s", s.scene, diff)
		}
		if state != requestv1.Request_STATE_COMPLETED {
			t.Errorf("%s: the answer is completed, but the request is %v", s.scene, state)
		}
	default:
		if s.answer.Complete || state == requestv1.Request_STATE_COMPLETED {
			t.Errorf("%s: complete for the client: %v, the request %v, but the answer %v", s.scene, s.answer.Complete, state, answer)
		}
		if len(lines) != 0 {
			t.Errorf("%s: the answer is %v, but the session has %q", s.scene, answer, lines)
		}
		// To the mesh, a gateway that dies is a client that leaves.
		want := requestv1.Request_STATE_INTERRUPTED
		if killed.Name == "gateway" {
			want = requestv1.Request_STATE_CANCELLED
		}
		if state != want {
			t.Errorf("%s: %s was killed, and the request is %v, want %v", s.scene, killed.Name, state, want)
		}
		if answer == responsev1.Response_STATE_INTERRUPTED {
			w.checkEndBehind(t, requests[0].GetResponseId())
		}
	}
	calls := len(w.provider.Calls(s.scene))
	eventually(t, func() error {
		rows, err := w.attempts(limit(t), requests[0].GetId())
		if err != nil {
			return err
		}
		if len(rows) != calls {
			return fmt.Errorf("%s: %d rows in the ledger for %d calls", s.scene, len(rows), calls)
		}
		for _, row := range rows {
			if row.GetState() != gptv1.Attempt_STATE_SETTLED {
				return fmt.Errorf("%s: a row is still %v", s.scene, row.GetState())
			}
		}
		if answer == responsev1.Response_STATE_UNSPECIFIED || len(rows) != 1 {
			return nil
		}
		return w.sameUsage(t, requests[0], rows[0], killed)
	})
	return requests[0].GetState().String()
}

// sameUsage holds a request's usage to that of its answer and, where that is known, to the
// ledger's.
func (w *world) sameUsage(t *testing.T, request *requestv1.Request, row *gptv1.Attempt, killed *harness.Process) error {
	t.Helper()
	answer := w.response(t, request.GetResponseId())
	if diff := cmp.Diff(answer.GetUsage(), request.GetUsage(), protocmp.Transform()); diff != "" {
		return fmt.Errorf("%s: usage of the answer and its request (-answer +request):\n%s", request.GetId(), diff)
	}
	if answer.GetUsage() == nil && killed.Name != "up" { // where one of them lives, it may not have been able to ask
		return nil
	}
	if diff := cmp.Diff(row.GetUsage(), answer.GetUsage(), protocmp.Transform()); diff != "" {
		return fmt.Errorf("%s: usage in the ledger and of the answer (-ledger +answer):\n%s", request.GetId(), diff)
	}
	return nil
}

// checkEndBehind checks that a client which was shown more of an interrupted answer
// than was kept is told that it ended.
func (w *world) checkEndBehind(t *testing.T, id string) {
	t.Helper()
	const seen = 100_000
	req, err := http.NewRequestWithContext(limit(t), http.MethodGet, fmt.Sprintf("%s/v1/responses/%s?stream=true&starting_after=%d", w.URL, id, seen), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := w.HTTP().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(body, fmt.Appendf(nil, `"type":"response.failed","sequence_number":%d`, seen+2)) {
		t.Errorf("behind an interrupted answer: %d %v %s", resp.StatusCode, err, body)
	}
}
