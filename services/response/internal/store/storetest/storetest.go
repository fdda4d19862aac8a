// Package storetest holds every implementation of store.Store to its
// specification.
package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var epoch = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func answer(id, owner string, at time.Duration) *responsev1.Response {
	return &responsev1.Response{
		Id: id, Owner: owner, RequestId: "req_" + id, SessionId: "ses_1",
		State: responsev1.Response_STATE_RUNNING, CreateTime: timestamppb.New(epoch.Add(at)),
	}
}

func finished(r *responsev1.Response, state responsev1.Response_State) *responsev1.Response {
	r = proto.CloneOf(r)
	r.State = state
	r.FinishTime = timestamppb.New(epoch.Add(time.Hour))
	r.LastSequence = 3
	r.Choices = []*responsev1.Choice{{
		Index: 0, FinishReason: conversationv1.FinishReason_FINISH_REASON_STOP,
		Message: &conversationv1.Message{Id: r.Id, Role: conversationv1.Role_ROLE_ASSISTANT, Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: "hello"}}}},
	}}
	return r
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("error is %v, want %v", err, target)
	}
}

func same(t *testing.T, got, expected any) {
	t.Helper()
	if diff := cmp.Diff(expected, got, protocmp.Transform()); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
}

// Run runs the suite; open returns an empty store.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Run("an answer that is added whole", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		done := finished(answer("a", "me", 0), responsev1.Response_STATE_COMPLETED)
		log := bytes.Repeat([]byte("frames "), 50)
		final := store.Final{Response: done, Log: log, Intent: []byte("intent")}
		ok(t, s.Add(ctx, final, "one"))
		want(t, s.Add(ctx, final, "one"), store.ErrExists)
		want(t, s.Begin(ctx, answer("a", "you", 0), "one"), store.ErrExists)
		want(t, s.Finish(ctx, final), store.ErrNotRunning)
		got, err := s.Get(ctx, "me", "a")
		ok(t, err)
		same(t, got.Response, done)
		if got.Instance != "one" {
			t.Fatalf("instance %q", got.Instance)
		}
		stored, err := s.Log(ctx, "a")
		ok(t, err)
		if !bytes.Equal(stored, log) {
			t.Fatal("the log has changed")
		}
		if pending, err := s.Pending(ctx, epoch.Add(2*time.Hour), 9); err != nil || len(pending) != 1 {
			t.Fatalf("pending %v %v", pending, err)
		}
		list, err := s.List(ctx, store.Filter{Owner: "me", SessionID: "ses_1"}, 9)
		ok(t, err)
		if len(list) != 1 || list[0].GetId() != "a" {
			t.Fatalf("list %v", list)
		}
		ok(t, s.Delete(ctx, "me", "a"))
		ok(t, s.Begin(ctx, answer("b", "me", 0), "one"))
		ok(t, s.Add(ctx, store.Final{Response: finished(answer("c", "me", 0), responsev1.Response_STATE_FAILED)}, "one"))
	})

	t.Run("life of an answer", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		ok(t, s.Ping(ctx))
		r := answer("a", "me", 0)
		ok(t, s.Begin(ctx, r, "one"))
		want(t, s.Begin(ctx, answer("a", "you", 0), "one"), store.ErrExists)
		got, err := s.Get(ctx, "me", "a")
		ok(t, err)
		same(t, got.Response, r)
		if got.Instance != "one" {
			t.Fatalf("instance %q", got.Instance)
		}
		_, err = s.Get(ctx, "you", "a")
		want(t, err, store.ErrNotFound)

		done := finished(r, responsev1.Response_STATE_COMPLETED)
		log := bytes.Repeat([]byte("frames "), 5000)
		ok(t, s.Finish(ctx, store.Final{Response: done, Log: log, Intent: []byte("intent")}))
		want(t, s.Finish(ctx, store.Final{Response: finished(r, responsev1.Response_STATE_FAILED)}), store.ErrNotRunning)
		want(t, s.Finish(ctx, store.Final{Response: finished(answer("x", "me", 0), responsev1.Response_STATE_FAILED)}), store.ErrNotRunning)
		got, err = s.Get(ctx, "me", "a")
		ok(t, err)
		same(t, got.Response, done)
		stored, err := s.Log(ctx, "a")
		ok(t, err)
		if !bytes.Equal(stored, log) {
			t.Fatal("the log has changed")
		}
		none, err := s.Log(ctx, "nobody")
		ok(t, err)
		if len(none) != 0 {
			t.Fatal("a log of nothing")
		}
		want(t, s.Delete(ctx, "you", "a"), store.ErrNotFound)
		ok(t, s.Delete(ctx, "me", "a"))
		want(t, s.Delete(ctx, "me", "a"), store.ErrNotFound)
		if stored, _ = s.Log(ctx, "a"); len(stored) != 0 {
			t.Fatal("the log outlived its answer")
		}
		if pending, err := s.Pending(ctx, epoch.Add(2*time.Hour), 9); err != nil || len(pending) != 0 {
			t.Fatalf("pending %v %v", pending, err)
		}
	})

	t.Run("another answer under the same id", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		r := answer("a", "me", 0)
		begin := func() {
			t.Helper()
			ok(t, s.Begin(ctx, r, "one"))
		}
		finish := func(by string, change func(*responsev1.Response)) error {
			other := finished(r, responsev1.Response_STATE_COMPLETED)
			change(other)
			return s.Finish(ctx, store.Final{Response: other, Log: []byte("log"), BegunBy: by})
		}
		same := func(*responsev1.Response) {}
		for _, looked := range []bool{false, true} {
			begin()
			if looked { // a store may know of rows that nobody looks for without their table
				_, err := s.Interrupt(ctx, store.Sweep{Except: "two", DeadBefore: epoch, Limit: 0})
				ok(t, err)
			}
			want(t, finish("two", same), store.ErrNotRunning)
			want(t, finish("one", func(r *responsev1.Response) { r.CreateTime = timestamppb.New(epoch.Add(time.Microsecond)) }), store.ErrNotRunning)
			want(t, finish("one", func(r *responsev1.Response) { r.Owner = "you" }), store.ErrNotRunning)
			want(t, finish("one", func(r *responsev1.Response) { r.RequestId = "req_b" }), store.ErrNotRunning)
			got, err := s.Get(ctx, "me", "a")
			ok(t, err)
			if got.Response.GetState() != responsev1.Response_STATE_RUNNING {
				t.Fatalf("%v was ended by another", got.Response)
			}
			ok(t, finish("one", same))
			ok(t, s.Delete(ctx, "me", "a"))
		}
	})

	t.Run("small logs", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		for i, log := range []string{"", "x", strings.Repeat("y", 2047), strings.Repeat("z", 2048)} {
			r := answer(fmt.Sprint("r", i), "me", 0)
			ok(t, s.Begin(ctx, r, "one"))
			ok(t, s.Finish(ctx, store.Final{Response: finished(r, responsev1.Response_STATE_COMPLETED), Log: []byte(log)}))
			got, err := s.Log(ctx, r.Id)
			ok(t, err)
			if string(got) != log {
				t.Fatalf("log %d has changed", i)
			}
		}
	})

	t.Run("texts that the log holds", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		for i, times := range []int{5, 1000} { // a log that is stored as it is, and a packed one
			text := strings.Repeat("Said \"twice\".\nUnd schön. ", times)
			raw, err := json.Marshal(map[string]any{"content": "Not " + text, "text": text})
			ok(t, err)
			for _, begun := range []bool{false, true} {
				r := answer(fmt.Sprint("r", i, begun), "me", 0)
				final := store.Final{Response: finished(r, responsev1.Response_STATE_COMPLETED), Log: raw}
				final.Response.Choices[0].Message.Parts = []*conversationv1.ContentPart{
					{Kind: &conversationv1.ContentPart_Text{Text: "Begins elsewhere. " + text}},
					{Kind: &conversationv1.ContentPart_Text{Text: text}},
				}
				if begun && len(raw) <= store.MaxPlain {
					plain := store.PlainLog(nil, len(raw))
					final.Log, final.Stored = nil, append(plain, raw...)
				}
				if begun {
					ok(t, s.Begin(ctx, r, "one"))
					ok(t, s.Finish(ctx, final))
				} else {
					ok(t, s.Add(ctx, final, "one"))
				}
				got, err := s.Get(ctx, "me", r.GetId())
				ok(t, err)
				same(t, got.Response, final.Response)
				log, err := s.Log(ctx, r.GetId())
				ok(t, err)
				if !bytes.Equal(log, raw) {
					t.Fatal("the log has changed")
				}
			}
		}
	})

	t.Run("a running answer stays", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		ok(t, s.Begin(ctx, answer("a", "me", 0), "one"))
		want(t, s.Delete(ctx, "me", "a"), store.ErrRunning)
	})

	t.Run("first finish wins", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		r := answer("a", "me", 0)
		ok(t, s.Begin(ctx, r, "one"))
		var won atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				switch err := s.Finish(ctx, store.Final{Response: finished(r, responsev1.Response_STATE_COMPLETED), Log: []byte("l")}); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, store.ErrNotRunning):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d have won", won.Load())
		}
	})

	t.Run("list", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		for i := range 7 {
			// Two share each time, so that the id breaks ties.
			r := answer(fmt.Sprintf("r%d", i), "me", time.Duration(i/2)*time.Minute)
			if i%2 == 1 {
				r.SessionId = "ses_2"
			}
			ok(t, s.Begin(ctx, r, "one"))
			if i < 3 {
				ok(t, s.Finish(ctx, store.Final{Response: finished(r, responsev1.Response_STATE_COMPLETED)}))
			}
		}
		ok(t, s.Begin(ctx, answer("other", "you", 0), "one"))

		list := func(f store.Filter, limit int) string {
			t.Helper()
			f.Owner = "me"
			got, err := s.List(ctx, f, limit)
			ok(t, err)
			var ids []string
			for _, r := range got {
				ids = append(ids, r.GetId())
				for _, c := range r.GetChoices() {
					if c.GetMessage() != nil {
						t.Fatal("a list brings messages")
					}
				}
			}
			return strings.Join(ids, " ")
		}
		same(t, list(store.Filter{}, 100), "r6 r5 r4 r3 r2 r1 r0")
		same(t, list(store.Filter{}, 2), "r6 r5")
		same(t, list(store.Filter{Cursor: store.CursorOf(answer("r5", "me", 2*time.Minute))}, 2), "r4 r3")
		same(t, list(store.Filter{SessionID: "ses_2"}, 9), "r5 r3 r1")
		same(t, list(store.Filter{States: []responsev1.Response_State{responsev1.Response_STATE_COMPLETED, responsev1.Response_STATE_FAILED}}, 9), "r2 r1 r0")
		same(t, list(store.Filter{After: epoch.Add(time.Minute), Before: epoch.Add(3 * time.Minute)}, 9), "r5 r4 r3 r2")
	})

	t.Run("cancel", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		r := answer("a", "me", 0)
		ok(t, s.Begin(ctx, r, "one"))
		ok(t, s.Begin(ctx, answer("b", "me", 0), "one"))
		want(t, s.RequestCancel(ctx, "you", "a"), store.ErrNotFound)
		ok(t, s.RequestCancel(ctx, "me", "a"))
		got, err := s.CancelRequested(ctx, "one")
		ok(t, err)
		same(t, got, []string{"a"})
		got, err = s.CancelRequested(ctx, "two")
		ok(t, err)
		if len(got) != 0 {
			t.Fatal(got)
		}
		ok(t, s.Finish(ctx, store.Final{Response: finished(r, responsev1.Response_STATE_CANCELLED)}))
		if got, _ = s.CancelRequested(ctx, "one"); len(got) != 0 {
			t.Fatal("a final answer is asked to end")
		}
	})

	t.Run("intents", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		for i, id := range []string{"a", "b", "c"} {
			r := answer(id, "me", 0)
			ok(t, s.Begin(ctx, r, "one"))
			done := finished(r, responsev1.Response_STATE_COMPLETED)
			done.FinishTime = timestamppb.New(epoch.Add(time.Duration(i) * time.Second))
			ok(t, s.Finish(ctx, store.Final{Response: done, Intent: []byte("intent of " + id)}))
		}
		got, err := s.Pending(ctx, epoch.Add(2*time.Second), 9)
		ok(t, err)
		same(t, got, []store.Intent{
			{ResponseID: "a", Owner: "me", Request: []byte("intent of a")},
			{ResponseID: "b", Owner: "me", Request: []byte("intent of b")},
		})
		ok(t, s.Settle(ctx, []string{"a", "gone"}, ""))
		ok(t, s.Settle(ctx, []string{"c"}, "session ended"))
		got, err = s.Pending(ctx, epoch.Add(time.Hour), 9)
		ok(t, err)
		same(t, got, []store.Intent{{ResponseID: "b", Owner: "me", Request: []byte("intent of b")}})
		record, err := s.Get(ctx, "me", "c")
		ok(t, err)
		same(t, record.SessionNote, "session ended")
	})

	t.Run("sweep", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		ok(t, s.Heartbeat(ctx, "alive", epoch.Add(time.Minute), epoch))
		ok(t, s.Heartbeat(ctx, "dead", epoch, epoch))
		for _, at := range []string{"alive", "dead", "never", "self"} {
			ok(t, s.Begin(ctx, answer("on-"+at, "me", 0), at))
		}
		sweep := store.Sweep{
			DeadBefore: epoch.Add(30 * time.Second), Except: "self", Now: epoch.Add(time.Minute), Limit: 100,
			End: func(r *responsev1.Response, frames []byte) []byte {
				r.Failure = &conversationv1.Failure{Message: "stopped " + r.GetId() + string(frames)}
				return append(frames, "."...)
			},
		}
		states := func() map[string]string {
			list, err := s.List(ctx, store.Filter{Owner: "me"}, 100)
			ok(t, err)
			out := map[string]string{}
			for _, r := range list {
				out[r.GetId()] = r.GetState().String() + r.GetFailure().GetMessage()
			}
			return out
		}
		orphans, err := s.Orphans(ctx, sweep)
		ok(t, err)
		slices.SortFunc(orphans, func(a, b *responsev1.Response) int { return strings.Compare(a.GetId(), b.GetId()) })
		same(t, orphans, []*responsev1.Response{answer("on-dead", "me", 0), answer("on-never", "me", 0)})
		sweep.Of = []string{"on-alive", "nobody's"}
		n, err := s.Interrupt(ctx, sweep)
		ok(t, err)
		same(t, n, 0)
		sweep.Of = []string{"on-never"}
		orphans, err = s.Orphans(ctx, sweep)
		ok(t, err)
		same(t, orphans, []*responsev1.Response{answer("on-never", "me", 0)})
		n, err = s.Interrupt(ctx, sweep)
		ok(t, err)
		same(t, n, 1)
		sweep.Of = nil
		n, err = s.Interrupt(ctx, sweep)
		ok(t, err)
		same(t, n, 1)
		same(t, states(), map[string]string{
			"on-alive": "STATE_RUNNING", "on-self": "STATE_RUNNING",
			"on-dead": "STATE_INTERRUPTEDstopped on-dead", "on-never": "STATE_INTERRUPTEDstopped on-never",
		})
		sweep.All = true
		n, err = s.Interrupt(ctx, sweep)
		ok(t, err)
		same(t, n, 1)
		// An instance that comes back is seen again, one long dead is forgotten.
		ok(t, s.Heartbeat(ctx, "dead", epoch.Add(2*time.Minute), epoch.Add(90*time.Second)))
	})

	journaled(t, open)

	t.Run("expire", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		var made []string
		for i := range 6 {
			at := time.Duration(i) * time.Hour
			r := answer(ids.At("resp", epoch.Add(at)), "me", at)
			made = append(made, r.GetId())
			ok(t, s.Begin(ctx, r, "one"))
			final := store.Final{Response: finished(r, responsev1.Response_STATE_COMPLETED), Log: []byte("log")}
			switch i {
			case 1: // runs on
				continue
			case 2: // its session has not taken it yet
				final.Intent = []byte("intent")
			}
			ok(t, s.Finish(ctx, final))
		}
		left := func() string {
			list, err := s.List(ctx, store.Filter{Owner: "me"}, 9)
			ok(t, err)
			out := ""
			for _, r := range list {
				out += fmt.Sprint(slices.Index(made, r.GetId()))
			}
			return out
		}
		n, err := s.Expire(ctx, epoch, 9)
		ok(t, err)
		same(t, n, 0)
		n, err = s.Expire(ctx, epoch.Add(4*time.Hour), 1)
		ok(t, err)
		same(t, n, 1)
		same(t, left(), "54321")
		n, err = s.Expire(ctx, epoch.Add(4*time.Hour), 9)
		ok(t, err)
		same(t, n, 1)
		same(t, left(), "5421")
		if log, err := s.Log(ctx, made[0]); err != nil || len(log) > 0 {
			t.Fatalf("the log outlived its answer: %q %v", log, err)
		}
	})

	t.Run("cancelled context", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Begin(ctx, answer("a", "me", 0), "one"); err == nil {
			t.Fatal("a write with a dead context succeeded")
		}
	})
}
