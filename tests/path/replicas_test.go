package path

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/face"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

// living are settings for processes of which none dies amid its work: who is slow is not
// dead.
func living() map[string]any {
	s := settings()
	for _, room := range []string{"request", "response"} {
		s[room].(map[string]any)["dead_after"] = "1m"
	}
	s["gpt"].(map[string]any)["ledger"].(map[string]any)["grace"] = "1m"
	return s
}

// startReplicas starts two meshes of one process on one database.
func startReplicas(t *testing.T, config map[string]any) (one, two *world) {
	t.Helper()
	return startReplicasOf(t, harness.Up, config)
}

// startReplicasOf starts two meshes of a shape on one database.
func startReplicasOf(t *testing.T, shape harness.Shape, config map[string]any) (one, two *world) {
	t.Helper()
	p, database := startProvider(t), pgtest.DB(t)
	replica := func() *world {
		return &world{provider: p, Mesh: harness.Start(t, harness.Config{
			Combination: harness.Combination{Shape: shape, Store: harness.PostgreSQL},
			Provider:    p, Settings: config, Database: database,
		})}
	}
	return replica(), replica()
}

// watchREST follows an answer over REST as an EventSource does that broke off,
// and calls each with the number and text of every chunk. It returns the reason of
// the end, empty where it is well.
func (w *world) watchREST(ctx context.Context, id string, lastEventID int64, each func(sequence int64, text string)) (string, error) {
	return w.watchAt(ctx, "/mesh/v1/responses/"+id, lastEventID, each)
}

// watchAt is watchREST of an answer or of a request.
func (w *world) watchAt(ctx context.Context, path string, lastEventID int64, each func(sequence int64, text string)) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL+path+":watch", nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Accept", "text/event-stream")
	if lastEventID > 0 {
		req.Header.Set("Last-Event-ID", strconv.FormatInt(lastEventID, 10))
	}
	resp, err := w.HTTP().Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var step struct {
			Chunk struct {
				Sequence string
				Events   []struct {
					Text     *struct{ Text string }
					Finished *struct{}
					Failed   *struct{ Reason string }
				}
			}
		}
		if err := json.Unmarshal([]byte(data), &step); err != nil {
			return "", err
		}
		chunk := step.Chunk
		sequence, err := strconv.ParseInt(chunk.Sequence, 10, 64)
		if err != nil {
			return "", fmt.Errorf("%s: %w", data, err)
		}
		text, reason, over := "", "", false
		for _, e := range chunk.Events {
			switch {
			case e.Text != nil:
				text += e.Text.Text
			case e.Failed != nil:
				reason, over = e.Failed.Reason, true
			case e.Finished != nil:
				over = true
			}
		}
		each(sequence, text)
		if over {
			return strings.TrimPrefix(reason, "ERROR_REASON_"), nil
		}
	}
	return "", errors.Join(lines.Err(), errors.New("no end came"))
}

// TestKeysAcrossReplicas sends one key to both processes at once, to each
// afterwards, and after both were started anew: there is one provider call.
func TestKeysAcrossReplicas(t *testing.T) {
	t.Parallel()
	one, two := startReplicas(t, living())
	type run struct {
		f     face.Face
		scene string
	}
	var runs []run
	ask := func(w *world, r run, text string) face.Answer {
		answer, err := r.f.Ask(limit(t), w.Mesh, face.Ask{Model: openAIModel, Text: text + provider.Prompt(r.scene), Stream: true, IdempotencyKey: r.scene})
		if err != nil {
			t.Errorf("%s: %v", r.scene, err)
		}
		return answer
	}
	check := func(r run, answers ...face.Answer) {
		t.Helper()
		for _, a := range answers {
			if !a.Complete || a.Text != "one two three" {
				t.Errorf("%s: %+v", r.scene, a)
			}
		}
		if n := len(one.provider.Calls(r.scene)); n != 1 {
			t.Errorf("%s: the provider was called %d times", r.scene, n)
		}
	}
	for _, f := range face.All() {
		r := run{f, t.Name() + " " + f.Name()}
		runs = append(runs, r)
		release := make(chan struct{})
		one.provider.Script(r.scene, provider.Say("one ").Then(provider.Wait(release), provider.Text("two "), provider.Text("three")))
		var all sync.WaitGroup
		var answers [6]face.Answer
		for i := range answers {
			all.Go(func() { answers[i] = ask([]*world{one, two}[i%2], r, "") })
		}
		one.provider.Await(t, r.scene, 0)
		close(release)
		all.Wait()
		check(r, answers[:]...)
		check(r, ask(one, r, ""), ask(two, r, ""))
		other := ask(two, r, "Something else. ")
		if other.Status != http.StatusConflict || other.Error == nil {
			t.Errorf("%s: another body under the key: %+v", r.scene, other)
		}
	}
	for _, w := range []*world{one, two} {
		w.Processes[0].Kill()
	}
	for _, w := range []*world{one, two} {
		w.Processes[0].Restart(t)
	}
	for _, r := range runs {
		check(r, ask(two, r, ""), ask(one, r, ""))
	}
}

// TestKilledReplica kills the process that makes an answer: the other one has
// what was journaled, with a typed end, and so has its key.
func TestKilledReplica(t *testing.T) {
	t.Parallel()
	one, two := startReplicas(t, settings())
	one.provider.Script(t.Name(), provider.Say("a b c ").Then(provider.Stall()))
	ctx, cancel := context.WithCancel(limit(t))
	defer cancel()
	ids := make(chan string, 1)
	go func() {
		_ = one.Request().Submit(ctx, &requestv1.SubmitRequest{IdempotencyKey: t.Name(), Turn: face.Submission(face.Ask{
			Model: openAIModel, Text: provider.Prompt(t.Name()), Stream: true,
		}).GetTurn()}, func(m *requestv1.SubmitResponse) error {
			if m.GetRequest() != nil {
				select {
				case ids <- m.GetRequest().GetResponseId():
				default:
				}
			}
			return nil
		})
	}()
	id := <-ids
	text, journaled := "", make(chan struct{})
	over := make(chan string, 1)
	go func() {
		reason, err := two.watchREST(ctx, id, 0, func(_ int64, piece string) {
			if text += piece; piece != "" && strings.HasSuffix(text, "c ") {
				close(journaled)
			}
		})
		if err != nil {
			reason = err.Error()
		}
		over <- reason
	}()
	waited(t, "the third text", journaled)
	one.Processes[0].Kill()
	if reason := <-over; reason != "INTERRUPTED" || text != "a b c " {
		t.Errorf("%q, then %s", text, reason)
	}
	r := two.response(t, id)
	if r.GetState() != responsev1.Response_STATE_INTERRUPTED || textOf(r.GetChoices()[0].GetMessage()) != "a b c " {
		t.Errorf("%v", r)
	}
	again, err := face.GRPC{}.Ask(limit(t), two.Mesh, face.Ask{Model: openAIModel, Text: provider.Prompt(t.Name()), Stream: true, IdempotencyKey: t.Name()})
	if err != nil || again.Text != "a b c " || again.Error == nil || again.Error.Code != "INTERRUPTED" {
		t.Errorf("under the same key: %+v %v", again, err)
	}
	if n := len(one.provider.Calls(t.Name())); n != 1 {
		t.Errorf("%d calls", n)
	}
	if got := two.request(t, again.RequestID).GetState(); got != requestv1.Request_STATE_INTERRUPTED {
		t.Errorf("the request is %v", got)
	}
}

// TestWatchRequest has several watch one request by its name, over gRPC and REST,
// from its start and from behind, at both replicas, and kills the one that makes the
// answer.
func TestWatchRequest(t *testing.T) {
	t.Parallel()
	one, two := startReplicas(t, settings())
	release, begun := make(chan struct{}), make(chan struct{})
	begin := sync.OnceFunc(func() { close(begun) })
	// What is read at once is one chunk: the rest comes when the beginning was seen,
	// so that there is something behind the first chunk.
	one.provider.Script(t.Name(), provider.Say("a ").Then(provider.Wait(begun), provider.Text("b c "), provider.Wait(release), provider.Stall()))
	got, err := one.Request().SubmitDetached(limit(t), &requestv1.SubmitDetachedRequest{Submit: face.Submission(face.Ask{
		Model: openAIModel, Text: provider.Prompt(t.Name()), Stream: true,
	})})
	if err != nil {
		t.Fatal(err)
	}
	id := got.GetRequest().GetId()
	type seen struct {
		name, text, end string
		chunks          []int64
		err             error
	}
	ends := make(chan seen, 16)
	have := make(chan struct{}, 64)
	const behind = 2
	count := 0
	watch := func(name string, w *world, after int64) {
		count += 2
		go func() {
			s := seen{name: fmt.Sprint("gRPC ", name, after)}
			s.err = w.Request().Watch(limit(t), &requestv1.WatchRequest{RequestId: id, AfterSequence: after}, func(m *requestv1.WatchResponse) error {
				s.chunks = append(s.chunks, m.GetChunk().GetSequence())
				for _, e := range m.GetChunk().GetEvents() {
					s.text += e.GetText().GetText()
					if f := e.GetFailed(); f != nil {
						s.end = strings.TrimPrefix(f.GetReason().String(), "ERROR_REASON_")
						if m.GetRequest().GetId() != id {
							s.err = errors.New("the last message names no request")
						}
					}
				}
				if s.text != "" {
					begin()
				}
				if strings.HasSuffix(s.text, "c ") {
					have <- struct{}{}
				}
				return nil
			})
			ends <- s
		}()
		go func() {
			s := seen{name: fmt.Sprint("REST ", name, after)}
			s.end, s.err = w.watchAt(limit(t), "/mesh/v1/requests/"+id, after, func(n int64, piece string) {
				s.chunks = append(s.chunks, n)
				if s.text += piece; strings.HasSuffix(s.text, "c ") && piece != "" {
					have <- struct{}{}
				}
			})
			ends <- s
		}()
	}
	for after := range int64(behind) {
		watch("one", one, after)
		watch("two", two, after)
	}
	for range count {
		waited(t, "what was said so far", have)
	}
	one.Processes[0].Kill()
	for range count {
		s := <-ends
		if strings.Contains(s.name, "one") {
			continue // its connection broke
		}
		for i, n := range s.chunks {
			if n != s.chunks[0]+int64(i) {
				t.Errorf("%s: chunks %v", s.name, s.chunks)
			}
		}
		if !strings.HasSuffix("a b c ", s.text) || s.end != "INTERRUPTED" || s.err != nil {
			t.Errorf("%s: %q, then %s %v", s.name, s.text, s.end, s.err)
		}
	}
	if n := len(one.provider.Calls(t.Name())); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// roundRobin is a client of several meshes: each request goes to the next one,
// and on where it was not taken.
type roundRobin struct {
	meshes []*world
	next   atomic.Int64
}

// post sends a turn and reads its answer whole. A refusal of a process that
// stops, or that has stopped, is no answer.
func (r *roundRobin) post(ctx context.Context, body, key string) (status int, text string, err error) {
	for range 20 {
		w := r.meshes[int(r.next.Add(1))%len(r.meshes)]
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL+"/v1/chat/completions", bytes.NewReader([]byte(body)))
		if err != nil {
			return 0, "", err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", key)
		resp, err := w.HTTP().Do(req)
		if err != nil {
			continue // nobody listens there
		}
		all, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusServiceUnavailable {
			continue
		}
		return resp.StatusCode, string(all), err
	}
	return 0, "", errors.New("nobody took it")
}

// TestRollingRestart ends and starts both replicas in turn, under load: no
// request fails.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	config := living()
	config["shutdown"] = map[string]any{"leave_delay": "200ms", "drain_timeout": "40s"}
	one, two := startReplicas(t, config)
	client := &roundRobin{meshes: []*world{one, two}}
	var stop atomic.Bool
	var done, failed atomic.Int64
	var all sync.WaitGroup
	one.provider.Script(t.Name(), provider.Say("one two ").Then(provider.Pause(30*time.Millisecond), provider.Text("three")))
	for worker := range 8 {
		all.Go(func() {
			for i := 0; !stop.Load(); i++ {
				stream := (worker+i)%2 == 0
				body, _ := json.Marshal(map[string]any{
					"model": openAIModel, "stream": stream,
					"messages": []any{map[string]any{"role": "user", "content": provider.Prompt(t.Name())}},
				})
				status, text, err := client.post(limit(t), string(body), fmt.Sprint(worker, "-", i))
				if whole := strings.Contains(text, "three") && (!stream || strings.Contains(text, "[DONE]")); err != nil || status != http.StatusOK || !whole {
					failed.Add(1)
					t.Errorf("%d %v %s", status, err, text)
				}
				done.Add(1)
			}
		})
	}
	for _, w := range []*world{one, two} {
		p, before := w.Processes[0], done.Load()
		eventually(t, func() error {
			if done.Load() < before+20 {
				return errors.New("no load")
			}
			return nil
		})
		p.Terminate(t)
		if code := p.AwaitExit(t); code != 0 {
			t.Errorf("it ended with %d", code)
		}
		p.Restart(t)
	}
	stop.Store(true)
	all.Wait()
	t.Logf("%d requests, %d failed", done.Load(), failed.Load())
	if calls := int64(len(one.provider.Calls(t.Name()))); calls != done.Load() {
		t.Errorf("%d calls of the provider for %d requests", calls, done.Load())
	}
}

// TestHandOver lets streams outlast the drain of their process: each ends with
// what a client needs to resume, and resuming at the other replica succeeds. Split,
// the process that ends is the one with the answers, whoever the client talks to.
func TestHandOver(t *testing.T) {
	t.Parallel()
	for _, shape := range []harness.Shape{harness.Up, harness.Full} {
		t.Run(string(shape), func(t *testing.T) {
			t.Parallel()
			handOver(t, shape)
		})
	}
}

func handOver(t *testing.T, shape harness.Shape) {
	config := living()
	config["shutdown"] = map[string]any{"drain_timeout": "300ms"}
	one, two := startReplicasOf(t, shape, config)
	one.provider.Script(t.Name(), provider.Say("a b ").Then(provider.Stall()))
	type end struct {
		failure *conversationv1.Failure
		err     error
	}
	policies := []responsev1.DisconnectPolicy{0, responsev1.DisconnectPolicy_DISCONNECT_POLICY_DRAIN, responsev1.DisconnectPolicy_DISCONNECT_POLICY_DETACH}
	ends := make(chan end, len(policies))
	var begun sync.WaitGroup
	for _, policy := range policies {
		begun.Add(1)
		go func() {
			var e end
			submit := face.Submission(face.Ask{Model: openAIModel, Text: provider.Prompt(t.Name()), Stream: true})
			submit.OnDisconnect = policy
			once := sync.OnceFunc(begun.Done)
			e.err = one.Request().Submit(limit(t), submit, func(m *requestv1.SubmitResponse) error {
				for _, event := range m.GetChunk().GetEvents() {
					if event.GetText().GetText() == "b " {
						once()
					}
					if event.GetFailed() != nil {
						e.failure = event.GetFailed()
					}
				}
				return nil
			})
			ends <- e
		}()
	}
	begun.Wait()
	one.Of("response").Terminate(t)
	if code := one.Of("response").AwaitExit(t); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	for range policies {
		e := <-ends
		id, last := e.failure.GetMetadata()["response_id"], e.failure.GetMetadata()["last_sequence"]
		if got := strings.TrimPrefix(e.failure.GetReason().String(), "ERROR_REASON_"); e.err != nil || got != "INTERRUPTED" || id == "" || last == "" {
			t.Errorf("no end to resume from: %v %v", e.failure, e.err)
			continue
		}
		after, _ := strconv.ParseInt(last, 10, 64)
		var seen []int64
		reason, err := two.watchREST(limit(t), id, after, func(n int64, _ string) { seen = append(seen, n) })
		if err != nil || reason != "INTERRUPTED" || len(seen) != 1 || seen[0] != after+1 {
			t.Errorf("resumed after %d: %v %s %v", after, seen, reason, err)
		}
		text := ""
		if _, err := two.watchREST(limit(t), id, 0, func(_ int64, piece string) { text += piece }); err != nil || text != "a b " {
			t.Errorf("from the start: %q %v", text, err)
		}
		eventually(t, func() error {
			r := two.response(t, id)
			if state := r.GetState(); state != responsev1.Response_STATE_INTERRUPTED {
				return fmt.Errorf("the answer is %v", state)
			}
			return nil
		})
	}
}
