// Package storetest holds every implementation of store.Store to its
// specification.
package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var epoch = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func request(id, owner string, at time.Duration) *requestv1.Request {
	return &requestv1.Request{
		Id: id, Owner: owner, UserId: "ann", SessionId: "s1", ResponseId: "resp_" + id,
		State: requestv1.Request_STATE_ACCEPTED, CreateTime: timestamppb.New(epoch.Add(at)),
	}
}

func in(r *requestv1.Request, state requestv1.Request_State) *requestv1.Request {
	r = proto.CloneOf(r)
	r.State = state
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
	t.Run("a request that is added whole", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		done := in(request("a", "me", 0), requestv1.Request_STATE_COMPLETED)
		ok(t, s.Add(ctx, done, "one", true))
		want(t, s.Add(ctx, in(request("a", "me", 0), requestv1.Request_STATE_FAILED), "one", false), store.ErrFinal)
		want(t, s.Finish(ctx, in(done, requestv1.Request_STATE_FAILED), false), store.ErrFinal)
		got, err := s.Get(ctx, "me", "a")
		ok(t, err)
		same(t, got.Request, done)
		if !got.Answered {
			t.Fatal("answered was lost")
		}
		list, err := s.List(ctx, store.Filter{Owner: "me", SessionID: "s1"}, 9)
		ok(t, err)
		same(t, list, []*requestv1.Request{done})
		orphans, err := s.Orphans(ctx, "two", epoch, true, 9)
		ok(t, err)
		if len(orphans) != 0 {
			t.Fatal("a final request is an orphan")
		}
	})

	t.Run("life of a request", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		ok(t, s.Ping(ctx))
		r := request("a", "me", 0)
		ok(t, s.Accept(ctx, r, "one", nil))
		got, err := s.Get(ctx, "me", "a")
		ok(t, err)
		same(t, got.Request, r)
		_, err = s.Get(ctx, "you", "a")
		want(t, err, store.ErrNotFound)
		done := in(r, requestv1.Request_STATE_COMPLETED)
		ok(t, s.Finish(ctx, done, true))
		want(t, s.Finish(ctx, in(r, requestv1.Request_STATE_FAILED), false), store.ErrFinal)
		want(t, s.Finish(ctx, in(request("x", "me", 0), requestv1.Request_STATE_FAILED), false), store.ErrFinal)
		got, err = s.Get(ctx, "me", "a")
		ok(t, err)
		same(t, got.Request, done)
		if !got.Answered {
			t.Fatal("answered was lost")
		}
	})

	t.Run("a report that comes late", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		report := &conversationv1.GuardReport{
			Action:   conversationv1.GuardAction_GUARD_ACTION_FLAGGED,
			Findings: []*conversationv1.GuardFinding{{Place: "messages[0]", Risk: "injection", Probability: 0.5, Evidence: []string{"a\x00b", "é"}}},
		}
		r := request("a", "me", 0)
		ok(t, s.Accept(ctx, r, "one", nil))
		ok(t, s.NoteGuard(ctx, "a", report)) // its end brings its own
		done := in(r, requestv1.Request_STATE_COMPLETED)
		ok(t, s.Finish(ctx, done, true))
		whole := in(request("b", "me", 0), requestv1.Request_STATE_COMPLETED)
		ok(t, s.Add(ctx, whole, "one", true))
		for _, r := range []*requestv1.Request{done, whole} {
			got, err := s.Get(ctx, "me", r.GetId())
			ok(t, err)
			same(t, got.Request, r)
			ok(t, s.NoteGuard(ctx, r.GetId(), report))
			got, err = s.Get(ctx, "me", r.GetId())
			ok(t, err)
			r.Guard = report
			same(t, got.Request, r)
		}
		ok(t, s.NoteGuard(ctx, "none", report))
	})

	t.Run("keys", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		key := func(now time.Duration, replaces string) *store.Key {
			return &store.Key{Key: "k", Hash: []byte("hash"), Expires: epoch.Add(now + time.Hour), Now: epoch.Add(now), Replaces: replaces}
		}
		_, err := s.ByKey(ctx, "me", "k", epoch)
		want(t, err, store.ErrNotFound)
		ok(t, s.Accept(ctx, request("a", "me", 0), "one", key(0, "")))
		want(t, s.Accept(ctx, request("b", "me", 0), "one", key(0, "")), store.ErrKeyTaken)
		want(t, s.Accept(ctx, request("b", "me", 0), "one", key(0, "other")), store.ErrKeyTaken)
		_, err = s.Get(ctx, "me", "b")
		want(t, err, store.ErrNotFound) // nothing of the loser stays
		ok(t, s.Accept(ctx, request("c", "you", 0), "one", key(0, "")))
		got, err := s.ByKey(ctx, "me", "k", epoch)
		ok(t, err)
		same(t, got.Request.GetId()+string(got.Hash), "ahash")
		ok(t, s.Accept(ctx, request("b", "me", 0), "one", key(0, "a")))
		got, err = s.ByKey(ctx, "me", "k", epoch)
		ok(t, err)
		same(t, got.Request.GetId(), "b")
		_, err = s.ByKey(ctx, "me", "k", epoch.Add(time.Hour))
		want(t, err, store.ErrNotFound)
		ok(t, s.Accept(ctx, request("d", "me", 0), "one", key(time.Hour, "")))
		ok(t, s.DropKeys(ctx, epoch.Add(90*time.Minute)))
		got, err = s.ByKey(ctx, "me", "k", epoch)
		ok(t, err)
		same(t, got.Request.GetId(), "d")
		ok(t, s.DropKeys(ctx, epoch.Add(2*time.Hour)))
		_, err = s.ByKey(ctx, "me", "k", epoch)
		want(t, err, store.ErrNotFound)
	})

	t.Run("one of many gets the key", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		var won atomic.Int32
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				err := s.Accept(ctx, request(fmt.Sprint("r", i), "me", 0), "one", &store.Key{Key: "k", Hash: []byte("h"), Expires: epoch.Add(time.Hour), Now: epoch})
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, store.ErrKeyTaken) {
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
		for i := range 6 {
			r := request(fmt.Sprint("r", i), "me", time.Duration(i/2)*time.Minute)
			if i%2 == 1 {
				r.SessionId, r.UserId = "s2", "bob"
			}
			ok(t, s.Accept(ctx, r, "one", nil))
			if i < 3 {
				ok(t, s.Finish(ctx, in(r, requestv1.Request_STATE_FAILED), false))
			}
		}
		ok(t, s.Accept(ctx, request("other", "you", 0), "one", nil))
		list := func(f store.Filter, limit int) string {
			t.Helper()
			f.Owner = "me"
			got, err := s.List(ctx, f, limit)
			ok(t, err)
			var ids []string
			for _, r := range got {
				ids = append(ids, r.GetId())
			}
			return strings.Join(ids, " ")
		}
		same(t, list(store.Filter{}, 9), "r5 r4 r3 r2 r1 r0")
		same(t, list(store.Filter{Cursor: store.CursorOf(request("r5", "me", 2*time.Minute))}, 2), "r4 r3")
		same(t, list(store.Filter{UserID: "bob"}, 9), "r5 r3 r1")
		same(t, list(store.Filter{SessionID: "s1"}, 9), "r4 r2 r0")
		same(t, list(store.Filter{States: []requestv1.Request_State{requestv1.Request_STATE_FAILED, requestv1.Request_STATE_COMPLETED}}, 9), "r2 r1 r0")
		same(t, list(store.Filter{After: epoch.Add(time.Minute), Before: epoch.Add(2 * time.Minute)}, 9), "r3 r2")
	})

	t.Run("orphans", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		ok(t, s.Heartbeat(ctx, "alive", epoch.Add(time.Minute), epoch))
		ok(t, s.Heartbeat(ctx, "dead", epoch, epoch))
		for _, at := range []string{"alive", "dead", "never", "self"} {
			ok(t, s.Accept(ctx, request("on-"+at, "me", 0), at, nil))
		}
		r := request("final", "me", 0)
		ok(t, s.Accept(ctx, r, "dead", nil))
		ok(t, s.Finish(ctx, in(r, requestv1.Request_STATE_FAILED), false))
		orphans := func(all bool) map[string]bool {
			list, err := s.Orphans(ctx, "self", epoch.Add(30*time.Second), all, 100)
			ok(t, err)
			out := map[string]bool{}
			for _, r := range list {
				out[r.GetId()] = true
			}
			return out
		}
		same(t, orphans(false), map[string]bool{"on-dead": true, "on-never": true})
		same(t, orphans(true), map[string]bool{"on-dead": true, "on-never": true, "on-alive": true})
	})

	t.Run("expire", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		var made []string
		for i := range 5 {
			at := time.Duration(i) * time.Hour
			r := request(ids.At("req", epoch.Add(at)), "me", at)
			made = append(made, r.GetId())
			ok(t, s.Accept(ctx, r, "one", nil))
			if i != 1 { // that one runs on
				ok(t, s.Finish(ctx, in(r, requestv1.Request_STATE_COMPLETED), true))
			}
		}
		expire := func(at time.Duration, limit, want int) {
			t.Helper()
			n, err := s.Expire(ctx, epoch.Add(at), limit)
			ok(t, err)
			same(t, n, want)
		}
		expire(0, 9, 0)
		expire(4*time.Hour, 1, 1)
		expire(4*time.Hour, 9, 2)
		list, err := s.List(ctx, store.Filter{Owner: "me"}, 9)
		ok(t, err)
		var left []string
		for _, r := range list {
			left = append(left, r.GetId())
		}
		same(t, left, []string{made[4], made[1]})
	})
}
