package groupcommit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func put(s string) func(context.Context, *memoryTx) error {
	return func(_ context.Context, tx *memoryTx) error {
		tx.pending = append(tx.pending, s)
		return nil
	}
}

// held queues fns behind a running call, in order, so that all are in one
// batch, and returns the answers: the running call's first.
func held(t *testing.T, m *memory, cfg Config, first func(context.Context, *memoryTx) error, fns ...func(context.Context, *memoryTx) error) []error {
	t.Helper()
	errs := make([]error, len(fns)+1)
	synctest.Test(t, func(t *testing.T) {
		c := New(m, cfg)
		release := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			errs[0] = c.Do(t.Context(), func(ctx context.Context, tx *memoryTx) error {
				<-release
				return first(ctx, tx)
			})
		})
		synctest.Wait()
		for i, fn := range fns {
			wg.Go(func() { errs[i+1] = c.Do(t.Context(), fn) })
			synctest.Wait()
		}
		close(release)
		wg.Wait()
		c.Close()
	})
	return errs
}

func TestCallsThatWaitShareOneCommit(t *testing.T) {
	m := &memory{}
	for _, err := range held(t, m, Config{}, put("a"), put("b"), put("c")) {
		if err != nil {
			t.Error(err)
		}
	}
	want := []string{"begin", "savepoint", "release", "savepoint", "release", "commit"}
	if diff := cmp.Diff(want, m.events()); diff != "" {
		t.Error(diff)
	}
}

func TestOneNeedsNoSavepoint(t *testing.T) {
	for name, test := range map[string]struct {
		second func(context.Context, *memoryTx) error
		events []string
		rows   map[string]bool
		errs   [3]error // of both and a third call
	}{
		"done": {put("b"), []string{"begin", "savepoint", "release", "commit"}, map[string]bool{"a": true, "b": true, "c": true}, [3]error{}},
		"failed": {func(context.Context, *memoryTx) error { return errOwn },
			[]string{"begin", "savepoint", "release", "commit"}, map[string]bool{"a": true, "c": true}, [3]error{nil, errOwn, nil}},
		"panicked": {func(context.Context, *memoryTx) error { panic(errOwn) },
			[]string{"begin", "rollback", "begin", "commit"}, map[string]bool{"c": true}, [3]error{ErrAborted, errOwn, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			m, errs := &memory{}, [3]error{}
			synctest.Test(t, func(t *testing.T) {
				c := New(m, Config{})
				release := make(chan struct{})
				var wg sync.WaitGroup
				wg.Go(func() {
					errs[0] = c.DoOne(t.Context(), func(ctx context.Context, tx *memoryTx) error {
						<-release
						return put("a")(ctx, tx)
					})
				})
				synctest.Wait()
				wg.Go(func() { errs[1] = c.DoOne(t.Context(), test.second) })
				synctest.Wait()
				wg.Go(func() { errs[2] = c.Do(t.Context(), put("c")) })
				synctest.Wait()
				close(release)
				wg.Wait()
				c.Close()
			})
			for i, err := range errs {
				if !errors.Is(err, test.errs[i]) {
					t.Errorf("call %d: %v, want %v", i, err, test.errs[i])
				}
			}
			if diff := cmp.Diff(test.events, m.events()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.rows, m.rows()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBatchIsBounded(t *testing.T) {
	m := &memory{}
	held(t, m, Config{MaxBatch: 2}, put("a"), put("b"), put("c"))
	want := []string{"begin", "savepoint", "release", "commit", "begin", "commit"}
	if diff := cmp.Diff(want, m.events()); diff != "" {
		t.Error(diff)
	}
}

func TestOneFailureLeavesTheOthers(t *testing.T) {
	fail := func(_ context.Context, tx *memoryTx) error {
		tx.pending = append(tx.pending, "bad")
		return errOwn
	}
	blow := func(context.Context, *memoryTx) error { panic(errOwn) }
	for name, bad := range map[string]func(context.Context, *memoryTx) error{"error": fail, "panic": blow} {
		for at := range 3 {
			t.Run(fmt.Sprintf("%s at %d", name, at), func(t *testing.T) {
				fns := []func(context.Context, *memoryTx) error{put("a"), put("b"), put("c")}
				fns[at] = bad
				m := &memory{}
				for i, err := range held(t, m, Config{}, fns[0], fns[1:]...) {
					if i == at && !errors.Is(err, errOwn) {
						t.Errorf("call %d: got %v, want its own error", i, err)
					}
					if i != at && err != nil {
						t.Errorf("call %d: %v", i, err)
					}
				}
				want := map[string]bool{"a": true, "b": true, "c": true}
				delete(want, string(rune('a'+at)))
				if diff := cmp.Diff(want, m.rows()); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestCommitErrorReachesAll(t *testing.T) {
	full := errors.New("disk full")
	m := &memory{commitErr: full}
	for i, err := range held(t, m, Config{}, put("a"), put("b"), put("c")) {
		if !errors.Is(err, full) {
			t.Errorf("call %d: got %v", i, err)
		}
	}
}

func TestBeginErrorReachesAllThatWait(t *testing.T) {
	busy := errors.New("busy")
	m := &memory{beginErr: busy}
	synctest.Test(t, func(t *testing.T) {
		c := New(m, Config{})
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if err := c.Do(t.Context(), put("a")); !errors.Is(err, busy) {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		c.Close()
	})
}

func TestFailedUndoAbortsTheBatch(t *testing.T) {
	lost := errors.New("no such savepoint")
	m := &memory{undoErr: lost}
	errs := held(t, m, Config{}, put("a"), func(context.Context, *memoryTx) error { return errOwn }, put("c"))
	if !errors.Is(errs[0], ErrAborted) || !errors.Is(errs[0], lost) || errors.Is(errs[0], errOwn) {
		t.Errorf("kept call: got %v", errs[0])
	}
	if !errors.Is(errs[1], errOwn) {
		t.Errorf("failed call: got %v", errs[1])
	}
	if errs[2] != nil {
		t.Errorf("next batch: %v", errs[2])
	}
	if diff := cmp.Diff(map[string]bool{"c": true}, m.rows()); diff != "" {
		t.Error(diff)
	}
}

func TestCancelBeforeTheTurnDropsTheCall(t *testing.T) {
	m := &memory{}
	synctest.Test(t, func(t *testing.T) {
		c := New(m, Config{})
		release := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = c.Do(t.Context(), func(context.Context, *memoryTx) error { <-release; return nil })
		})
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			if err := c.Do(ctx, put("late")); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(release)
		wg.Wait()
		c.Close()
	})
	if len(m.rows()) != 0 {
		t.Errorf("a cancelled call was run: %v", m.rows())
	}
}

func TestCancelAfterTheTurnIsTooLate(t *testing.T) {
	m := &memory{}
	c := New(m, Config{})
	defer c.Close()
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "v"))
	err := c.Do(ctx, func(inner context.Context, tx *memoryTx) error {
		cancel()
		if inner.Err() != nil || inner.Done() != nil {
			t.Error("the caller's end reached a running call")
		}
		if inner.Value(key{}) != "v" {
			t.Error("the caller's values are gone")
		}
		return put("a")(inner, tx)
	})
	if err != nil || !m.rows()["a"] {
		t.Errorf("err %v, rows %v", err, m.rows())
	}
}

func TestQueueIsBounded(t *testing.T) {
	m := &memory{}
	synctest.Test(t, func(t *testing.T) {
		c := New(m, Config{Queue: 1})
		release := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = c.Do(t.Context(), func(context.Context, *memoryTx) error { <-release; return nil })
		})
		synctest.Wait()
		wg.Go(func() { _ = c.Do(t.Context(), put("queued")) })
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			if err := c.Do(ctx, put("blocked")); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		if got := c.Stats().Queued; got != 1 {
			t.Errorf("queued %d, want 1", got)
		}
		cancel()
		synctest.Wait()
		close(release)
		wg.Wait()
		c.Close()
	})
}

func TestCloseAnswersWhatIsQueued(t *testing.T) {
	m := &memory{}
	synctest.Test(t, func(t *testing.T) {
		c := New(m, Config{})
		release := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = c.Do(t.Context(), func(context.Context, *memoryTx) error { <-release; return nil })
		})
		synctest.Wait()
		wg.Go(func() {
			if err := c.Do(t.Context(), put("queued")); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		closed := make(chan struct{})
		go func() { c.Close(); close(closed) }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close returned before the running call")
		default:
		}
		if err := c.Do(t.Context(), put("after")); !errors.Is(err, ErrClosed) {
			t.Errorf("got %v", err)
		}
		close(release)
		<-closed
		wg.Wait()
		c.Close()
	})
	if diff := cmp.Diff(map[string]bool{"queued": true}, m.rows()); diff != "" {
		t.Error(diff)
	}
}

// derivedKey makes a context that is derived from another.
type derivedKey struct{}

func TestNestedCallIsRefused(t *testing.T) {
	c := New(&memory{}, Config{})
	defer c.Close()
	err := c.Do(t.Context(), func(ctx context.Context, _ *memoryTx) error {
		return c.Do(context.WithValue(ctx, derivedKey{}, "v"), put("inner"))
	})
	if !errors.Is(err, ErrNested) {
		t.Errorf("got %v", err)
	}
}

func TestFunctionThatEndsItsGoroutine(t *testing.T) {
	m := &memory{}
	errs := held(t, m, Config{}, put("a"), func(context.Context, *memoryTx) error { runtime.Goexit(); return nil }, put("c"))
	if !errors.Is(errs[0], ErrAborted) || !errors.Is(errs[1], ErrAborted) || errs[2] != nil {
		t.Errorf("got %v", errs)
	}
	if diff := cmp.Diff(map[string]bool{"c": true}, m.rows()); diff != "" {
		t.Error(diff)
	}
}

// TestAcknowledgedIsCommitted runs callers against Close and cancellation:
// nil means durable, and an error means not.
func TestAcknowledgedIsCommitted(t *testing.T) {
	m := &memory{}
	c := New(m, Config{MaxBatch: 4, Queue: 8})
	var wg sync.WaitGroup
	var mu sync.Mutex
	want := map[string]bool{}
	for w := range 16 {
		wg.Go(func() {
			for i := range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				if i%7 == 0 {
					go cancel()
				}
				id := fmt.Sprintf("%d/%d", w, i)
				err := c.Do(ctx, func(ctx context.Context, tx *memoryTx) error {
					_ = put(id)(ctx, tx)
					if i%5 == 0 {
						return errOwn
					}
					return nil
				})
				cancel()
				if err == nil {
					mu.Lock()
					want[id] = true
					mu.Unlock()
				}
				if i == 150 && w == 0 {
					go c.Close()
				}
			}
		})
	}
	wg.Wait()
	c.Close()
	if diff := cmp.Diff(want, m.rows()); diff != "" {
		t.Error(diff)
	}
	if s := c.Stats(); s.Writes != uint64(len(want)) || s.Batches == 0 || s.Queued != 0 {
		t.Errorf("stats %+v with %d rows", s, len(want))
	}
}
