package response

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// steps is a model that sends "0", then one number at each step, and ends when
// steps is closed.
func steps(step <-chan struct{}) script {
	return func(ctx context.Context, _ *gptv1.GenerateRequest, send func(*conversationv1.Chunk) error) error {
		if err := send(raw("0\n", started())); err != nil {
			return err
		}
		for i := 1; ; i++ {
			select {
			case _, ok := <-step:
				if !ok {
					return send(raw(".\n", usage(6), finishedEvent()))
				}
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := send(raw(fmt.Sprint(i, "\n"))); err != nil {
				return err
			}
		}
	}
}

// value is a counter's.
func value(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families[0].GetMetric()[0].GetCounter().GetValue()
}

// journaled is how many bytes of a running answer the store has.
func (w *world) journaled(id string) int {
	_, frames, err := w.store.Follow(w.t.Context(), "local", id, 0)
	if err != nil {
		return 0
	}
	return len(frames)
}

// TestWatchAnotherProcess has one process make an answer, and watchers of
// another follow it from every place.
func TestWatchAnotherProcess(t *testing.T) {
	t.Parallel()
	url := pgtest.DB(t)
	one, two := replica(t, url, "one"), replica(t, url, "two")
	step := make(chan struct{})
	one.model.plays(steps(step))
	var all sync.WaitGroup
	first := make(chan struct{})
	all.Go(func() {
		if _, err := one.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1"}, func(c *conversationv1.Chunk) error {
			if c.GetSequence() == 1 {
				close(first)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-first
	const asRaw = "1:^{0} 2:{1} 3:{2} 4:{3} 5:{4} 6:{5} 7:#${.}"
	const asTyped = "1:^0 2:1 3:2 4:3 5:4 6:5 7:.#$"
	suffix := func(whole string, after int) string { return strings.Join(strings.Split(whole, " ")[after:], " ") }
	live := make(chan string, 99)
	for after := range 8 {
		for accept, whole := range map[conversationv1.Wire]string{conversationv1.Wire_WIRE_OPENAI_CHAT: asRaw, 0: asTyped} {
			all.Go(func() {
				var got []*conversationv1.Chunk
				err := two.caller.WatchResponse(t.Context(), &responsev1.WatchResponseRequest{ResponseId: "resp_1", AfterSequence: int64(after), AcceptWire: accept},
					func(m *responsev1.WatchResponseResponse) error {
						if got = append(got, proto.CloneOf(m.GetChunk())); m.GetChunk().GetSequence() == 3 {
							live <- ""
						}
						return nil
					})
				if err != nil || show(got) != suffix(whole, after) {
					t.Errorf("after %d in %v: %s %v", after, accept, show(got), err)
				}
			})
		}
	}
	step <- struct{}{}
	step <- struct{}{}
	for range 6 { // those after 0, 1 and 2 see the third while the answer runs
		<-live
	}
	for range 3 {
		step <- struct{}{}
	}
	close(step)
	all.Wait()
	eventually(t, "the journal is empty", func() bool { return one.journaled("resp_1") == 0 })
}

// TestKilledProcess leaves an answer as kill -9 does: what was journaled is the
// row's, and watchers get it with a typed end.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	url := pgtest.DB(t)
	one, two := replica(t, url, "one"), replica(t, url, "two")
	step := make(chan struct{})
	one.model.plays(steps(step))
	var all sync.WaitGroup
	ctx, kill := context.WithCancel(t.Context())
	all.Go(func() { _, _ = one.generate(ctx, &responsev1.GenerateRequest{ResponseId: "resp_1"}) })
	step <- struct{}{}
	step <- struct{}{}
	var watched string
	all.Go(func() {
		chunks, err := two.watch(t.Context(), "resp_1", 1, 0)
		watched = show(chunks) + reason(err)
	})
	eventually(t, "the journal has it", func() bool {
		_, frames, err := two.store.Follow(t.Context(), "local", "resp_1", 2)
		return err == nil && len(frames) > 0
	})
	// The others take it for dead; that it is not changes nothing any more.
	sweep := two.sweepOf(t.Context(), time.Now(), sweepBatch, nil)
	sweep.All = true
	if n, err := two.store.Interrupt(t.Context(), sweep); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	kill()
	all.Wait()
	equal(t, watched, "2:1 3:2 4:!INTERRUPTED")
	r := two.get("resp_1")
	equal(t, r.GetState().String()+" "+r.GetModel()+" "+r.GetChoices()[0].GetMessage().GetParts()[0].GetText(), "STATE_INTERRUPTED m-1 012")
	equal(t, r.GetFailure().GetMetadata()["last_sequence"], "3")
	for after, want := range []string{"1:^0 2:1 3:2 4:!INTERRUPTED", "2:1 3:2 4:!INTERRUPTED", "3:2 4:!INTERRUPTED", "4:!INTERRUPTED", "5:!INTERRUPTED", "6:!INTERRUPTED"} {
		chunks, err := two.watch(t.Context(), "resp_1", int64(after), 0)
		equal(t, show(chunks)+reason(err), want)
	}
}

// TestShortAnswersAreNotJournaled: an answer that ends within the interval
// costs no write of it.
func TestShortAnswersAreNotJournaled(t *testing.T) {
	t.Parallel()
	w := open(t, func(cfg *Config) { cfg.JournalInterval = time.Hour })
	for i := range 20 {
		if _, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: fmt.Sprint("resp_", i)}); err != nil {
			t.Fatal(err)
		}
	}
	w.journalAll(new(journalWrite))
	for _, result := range []string{"stored", "failed"} {
		if n := value(t, w.metrics.journal.WithLabelValues(result)); n != 0 {
			t.Errorf("%v pieces %s", n, result)
		}
	}
}

// TestJournalCatchesUp: pieces that cannot be stored are stored later.
func TestJournalCatchesUp(t *testing.T) {
	t.Parallel()
	w := configure(t, t.TempDir()+"/response.db", newSessions(), func(cfg *Config) { cfg.JournalInterval = time.Millisecond })
	broken := &brokenStore{Store: w.store}
	broken.journals.Store(true)
	w.store = broken // before Start: nothing else uses it yet
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	step := make(chan struct{})
	w.model.plays(steps(step))
	var all sync.WaitGroup
	all.Go(func() { _, _ = w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1"}) })
	for range 5 {
		step <- struct{}{}
	}
	eventually(t, "it has failed", func() bool { return value(t, w.metrics.journal.WithLabelValues("failed")) > 2 })
	broken.journals.Store(false)
	var frames []byte
	eventually(t, "it is stored", func() bool {
		var err error
		_, frames, err = w.store.Follow(t.Context(), "local", "resp_1", 5)
		return err == nil && len(frames) > 0
	})
	close(step)
	all.Wait()
	chunks, err := w.watch(t.Context(), "resp_1", 0, 0)
	equal(t, show(chunks)+reason(err), "1:^0 2:1 3:2 4:3 5:4 6:5 7:.#$")
	if w.journaled("resp_1") != 0 {
		t.Error("the journal outlived the answer")
	}
}

// TestClocksThatJump: a process whose clock is hours ahead, or behind, takes no
// other one for dead.
func TestClocksThatJump(t *testing.T) {
	t.Parallel()
	url := pgtest.DB(t)
	one := replica(t, url, "one")
	step := make(chan struct{})
	one.model.plays(steps(step))
	var all sync.WaitGroup
	var made string
	all.Go(func() {
		chunks, err := one.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1"})
		made = show(chunks) + reason(err)
	})
	step <- struct{}{}
	for i, ahead := range []time.Duration{2 * time.Hour, -2 * time.Hour} {
		other := replica(t, url, fmt.Sprint("other", i), ahead) // it sweeps at its start
		if err := other.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, other.get("resp_1").GetState().String(), "STATE_RUNNING")
	}
	close(step)
	all.Wait()
	equal(t, made, "1:^{0} 2:{1} 3:#${.}")
}

// Where a write of the journal was not acknowledged, the next one repeats it: an
// interrupted answer has each chunk once.
func TestJournaledChunksCountOnce(t *testing.T) {
	t.Parallel()
	var entries [][]byte
	for _, sequence := range []int64{1, 2, 3, 2, 3, 4} {
		entry, err := proto.Marshal(&conversationv1.Chunk{Sequence: sequence})
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry)
	}
	if got := len(once(entries)); got != 4 {
		t.Errorf("%d chunks of 4", got)
	}
}

// What is handed out of running answers comes again until it is stored, and also
// when the answer has ended and its row could not be.
func TestUnstored(t *testing.T) {
	t.Parallel()
	w := configure(t, t.TempDir()+"/response.db", newSessions(), func(c *Config) { c.JournalInterval, c.RetryInterval = time.Millisecond, time.Hour })
	broken := &brokenStore{Store: w.Service.store}
	w.Service.store = broken // before Start: nothing else uses it yet
	broken.finishes.Store(99)
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	step := make(chan struct{})
	w.model.plays(steps(step))
	over := make(chan error)
	go func() {
		_, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1"})
		over <- err
	}()
	handed := func(stored bool) string {
		var all strings.Builder
		done := w.Service.unstored(func(p store.Piece) { fmt.Fprintf(&all, "%s:%d-%d:%d ", p.ResponseID, p.First, p.Last, len(p.Frames)) })
		done(stored)
		return all.String()
	}
	step <- struct{}{}
	journaled := func(chunks int64) func() bool {
		return func() bool { return strings.Contains(handed(false), fmt.Sprint("-", chunks, ":")) }
	}
	eventually(t, "two chunks are journaled", journaled(2))
	first := handed(false)
	equal(t, handed(true), first)
	equal(t, handed(true), "")
	step <- struct{}{}
	eventually(t, "a third is", journaled(3))
	close(step)
	if err := <-over; err != nil {
		t.Fatal(err)
	}
	if left := handed(false); !strings.HasPrefix(left, "resp_1:3-3:") {
		t.Errorf("an answer whose end is not stored leaves %q", left)
	}
	handed(true)
	equal(t, handed(true), "")
	broken.finishes.Store(0)
}

// racingStore has the journal look at an answer when its end is on the way to the store.
type racingStore struct {
	store.Store
	before func()
	tidied atomic.Int32 // pieces
}

func (s *racingStore) Finish(ctx context.Context, f store.Final) error {
	s.before()
	return s.Store.Finish(ctx, f)
}

func (s *racingStore) Tidy(ctx context.Context, limit int) (int, error) {
	n, err := s.Store.Tidy(ctx, limit)
	s.tidied.Add(int32(n))
	return n, err
}

// An answer that is journaled for the first time just as it ends leaves no piece.
func TestJournaledAtTheEnd(t *testing.T) {
	t.Parallel()
	w := configure(t, t.TempDir()+"/response.db", newSessions(), func(c *Config) { c.JournalInterval, c.Retention = 0, 0 })
	racing := &racingStore{Store: w.Service.store, before: func() { w.journalAll(new(journalWrite)) }}
	w.Service.store = racing // before Start: nothing else uses it yet
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1"}); err != nil {
		t.Fatal(err)
	}
	if n, err := racing.Store.Tidy(t.Context(), 9); n != 0 || err != nil {
		t.Errorf("%d pieces outlived the answer, %v", n, err)
	}
}

// A piece that outlived its answer is removed, however long answers are kept.
func TestPiecesAreTidied(t *testing.T) {
	t.Parallel()
	w := configure(t, t.TempDir()+"/response.db", newSessions(), func(c *Config) { c.SweepInterval, c.Retention = time.Millisecond, 0 })
	racing := &racingStore{Store: w.Service.store}
	w.Service.store = racing // before Start: nothing else uses it yet
	r := &responsev1.Response{Id: "resp_1", Owner: "local", State: responsev1.Response_STATE_RUNNING, CreateTime: timestamppb.Now()}
	if err := racing.Begin(t.Context(), r, "one"); err != nil {
		t.Fatal(err)
	}
	if err := racing.Journal(t.Context(), []store.Piece{{ResponseID: "resp_1", First: 1, Last: 1, Frames: []byte("part")}}); err != nil {
		t.Fatal(err)
	}
	r.State = responsev1.Response_STATE_COMPLETED
	if err := racing.Store.Finish(t.Context(), store.Final{Response: r}); err != nil {
		t.Fatal(err)
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the piece is removed", func() bool { return racing.tidied.Load() == 1 })
}

// TestJournalPause: many answers are journaled less often each, so that no more
// pieces are written in a second than journal_rate says.
func TestJournalPause(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		shared        bool
		rate, running int
		want          time.Duration
	}{
		{false, 0, 1, 100 * time.Millisecond},
		{false, 0, 800, 100 * time.Millisecond},
		{false, 0, 2000, 250 * time.Millisecond},
		{true, 0, 100, 100 * time.Millisecond},
		{true, 0, 256, 256 * time.Millisecond},
		{true, 0, 10_000, 10 * time.Second},
		{true, 20_000, 10_000, 500 * time.Millisecond},
		{false, 10, 1, 100 * time.Millisecond},
		{false, 10, 5, 500 * time.Millisecond},
	} {
		s := Service{shared: test.shared, cfg: Config{JournalInterval: 100 * time.Millisecond, JournalRate: test.rate}}
		if got := s.journalPause(test.running); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}
