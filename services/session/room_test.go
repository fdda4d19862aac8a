package session_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/session"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestRestartKeepsAll(t *testing.T) {
	t.Parallel()
	each(t, true, func(t *testing.T, r *room) {
		r.create(t, "s", user("a", "1"))
		r.append(t, "s", user("b", "2"))
		r.clock.Add(time.Minute)
		resp, err := r.GetContext(as(t, "me"), &sessionv1.GetContextRequest{SessionId: "s"})
		if err != nil {
			t.Fatal(err)
		}
		r.reopen()
		same(t, r.get(t, "s"), resp.GetSession()) // the use as well
		same(t, r.history(t, "s"), []string{"a", "b"})
		same(t, r.append(t, "s", user("b", "2")).GetSession().GetVersion(), int64(3))
	})
}

// TestConcurrentAppendsOfOneTurn sends the same messages many times at once,
// through two replicas.
func TestConcurrentAppendsOfOneTurn(t *testing.T) {
	t.Parallel()
	each(t, true, func(t *testing.T, r *room) {
		r.create(t, "s")
		rooms := []sessionv1.SessionServiceCaller{r.SessionServiceCaller, r.SessionServiceCaller}
		if r.replica != nil {
			rooms[1] = r.replica()
		}
		var group sync.WaitGroup
		for i := range 16 {
			group.Go(func() {
				resp, err := rooms[i%2].AppendMessages(as(t, "me"), &sessionv1.AppendMessagesRequest{
					SessionId: "s", Messages: []*conversationv1.Message{user("q", "question"), text("a", assistant, fmt.Sprint("answer ", i))},
				})
				if err != nil {
					t.Error(err)
				} else if resp.GetSession().GetMessageCount() != 2 {
					t.Errorf("%d messages", resp.GetSession().GetMessageCount())
				}
			})
		}
		group.Wait()
		same(t, r.history(t, "s"), []string{"q", "a"})
		same(t, r.get(t, "s").GetVersion(), int64(2))
	})
}

// TestConcurrentCreate makes one session many times at once.
func TestConcurrentCreate(t *testing.T) {
	t.Parallel()
	each(t, true, func(t *testing.T, r *room) {
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				_, err := r.CreateSession(as(t, "me"), &sessionv1.CreateSessionRequest{SessionId: "s", Messages: []*conversationv1.Message{user("a", "x")}})
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		same(t, r.history(t, "s"), []string{"a"})
	})
}

// TestRandomHistories runs appends, retries and forks in random interleavings.
// Each writer's messages stay in its order, none is doubled or lost, and a fork
// is a beginning of its source.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	each(t, true, func(t *testing.T, r *room) {
		for seed := range uint64(4) {
			id := fmt.Sprint("s", seed)
			r.create(t, id)
			const writers, turns = 4, 12
			var group sync.WaitGroup
			var mu sync.Mutex
			var forks []string
			for w := range writers {
				random := rand.New(rand.NewPCG(seed, uint64(w)))
				group.Go(func() {
					for turn := range turns {
						var messages []*conversationv1.Message
						for part := range 1 + random.IntN(3) {
							messages = append(messages, user(fmt.Sprintf("%d-%02d-%d", w, turn, part), "x"))
						}
						for range 1 + random.IntN(2) { // a retry
							if _, err := r.AppendMessages(as(t, "me"), &sessionv1.AppendMessagesRequest{SessionId: id, Messages: messages}); err != nil {
								t.Error(err)
								return
							}
						}
						if random.IntN(6) == 0 {
							fork := fmt.Sprintf("%s-fork-%d-%d", id, w, turn)
							for range 2 {
								if _, err := r.ForkSession(as(t, "me"), &sessionv1.ForkSessionRequest{SessionId: id, NewSessionId: fork}); err != nil {
									t.Error(err)
									return
								}
							}
							mu.Lock()
							forks = append(forks, fork)
							mu.Unlock()
						}
					}
				})
			}
			group.Wait()
			history := r.history(t, id)
			sorted := slices.Sorted(slices.Values(history))
			if len(slices.Compact(sorted)) != len(history) {
				t.Fatal("a message is doubled")
			}
			for w := range writers {
				var own []string
				for _, m := range history {
					if strings.HasPrefix(m, fmt.Sprint(w, "-")) {
						own = append(own, m)
					}
				}
				if !slices.IsSorted(own) || own[len(own)-1][:4] != fmt.Sprintf("%d-%02d", w, turns-1) {
					t.Fatalf("writer %d: %v", w, own)
				}
			}
			for _, fork := range forks {
				got := r.history(t, fork)
				same(t, got, history[:len(got)])
			}
		}
	})
}

func TestPagesOfMessages(t *testing.T) {
	t.Parallel()
	each(t, true, func(t *testing.T, r *room) {
		r.create(t, "s")
		for i := range 75 {
			r.append(t, "s", user(fmt.Sprintf("m%02d", i), "x"))
		}
		read := func(newestFirst bool) (ids []string) {
			token := ""
			for page := 0; ; page++ {
				resp, err := r.ListMessages(as(t, "me"), &sessionv1.ListMessagesRequest{SessionId: "s", PageSize: 10, PageToken: token, NewestFirst: newestFirst})
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range resp.GetMessages() {
					ids = append(ids, m.GetId())
				}
				if token = resp.GetNextPageToken(); token == "" {
					return ids
				}
				if page < 3 {
					r.append(t, "s", user("", "meanwhile"))
				}
			}
		}
		forward := read(false)
		same(t, forward, r.history(t, "s"))
		same(t, len(forward), 78)
		backward := read(true)
		slices.Reverse(backward)
		same(t, backward, forward)

		resp, err := r.ListMessages(as(t, "me"), &sessionv1.ListMessagesRequest{SessionId: "s", PageSize: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, req := range []*sessionv1.ListMessagesRequest{
			{SessionId: "s", PageToken: "nonsense"},
			{SessionId: "s", PageToken: resp.GetNextPageToken(), NewestFirst: true},
		} {
			_, err := r.ListMessages(as(t, "me"), req)
			refused(t, err, meshv1.ErrorReason_ERROR_REASON_INVALID_PAGE_TOKEN, "page_token")
		}
	})
}

func TestPagesOfSessions(t *testing.T) {
	t.Parallel()
	each(t, true, func(t *testing.T, r *room) {
		var want []string
		for i := range 7 {
			r.create(t, fmt.Sprint(i))
			want = append([]string{fmt.Sprint(i)}, want...)
			r.clock.Add(time.Duration(i%2) * time.Second) // some at the same time
		}
		r.clock.Add(time.Second)
		if _, err := r.GetContext(as(t, "me"), &sessionv1.GetContextRequest{SessionId: "3"}); err != nil {
			t.Fatal(err)
		}
		want = append([]string{"3"}, slices.DeleteFunc(want, func(id string) bool { return id == "3" })...)
		var got []string
		req := &sessionv1.ListSessionsRequest{PageSize: 3}
		for {
			resp, err := r.ListSessions(as(t, "me"), req)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range resp.GetSessions() {
				got = append(got, s.GetId())
			}
			if req.PageToken = resp.GetNextPageToken(); req.PageToken == "" {
				break
			}
		}
		same(t, got, want)
		resp, err := r.ListSessions(as(t, "me"), &sessionv1.ListSessionsRequest{PageSize: 3})
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.ListSessions(as(t, "me"), &sessionv1.ListSessionsRequest{UserId: "other", PageToken: resp.GetNextPageToken()})
		refused(t, err, meshv1.ErrorReason_ERROR_REASON_INVALID_PAGE_TOKEN, "page_token")
	})
}

// TestWatchOtherReplica watches through one replica what another changes.
func TestWatchOtherReplica(t *testing.T) {
	t.Parallel()
	each(t, true, func(t *testing.T, r *room) {
		if r.replica == nil {
			return // there are none
		}
		other := r.replica()
		r.create(t, "s")
		first := make(chan struct{})
		var once sync.Once
		var got []*sessionv1.WatchSessionResponse
		done := make(chan error)
		go func() {
			done <- other.WatchSession(as(t, "me"), &sessionv1.WatchSessionRequest{SessionId: "s"}, func(m *sessionv1.WatchSessionResponse) error {
				got = append(got, proto.CloneOf(m))
				once.Do(func() { close(first) })
				return nil
			})
		}()
		<-first
		r.append(t, "s", user("a", "x"))
		if _, err := r.DeleteSession(as(t, "me"), &sessionv1.DeleteSessionRequest{SessionId: "s"}); err != nil {
			t.Fatal(err)
		}
		r.create(t, "s", user("new", "x")) // nothing of this one is to be seen
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if len(got) == 3 { // the append may be overtaken by the deletion
			got = slices.Delete(got, 1, 2)
		}
		same(t, kinds(got), []string{"CREATED 1", "DELETED 3"})
	})
}

// TestWatchExpiry moves the time on: the sweeper writes the end, and the
// watcher learns of it.
func TestWatchExpiry(t *testing.T) {
	t.Parallel()
	each(t, true, func(t *testing.T, r *room) {
		r.create(t, "s")
		moved := false
		var got []*sessionv1.WatchSessionResponse
		err := r.WatchSession(as(t, "me"), &sessionv1.WatchSessionRequest{SessionId: "s"}, func(m *sessionv1.WatchSessionResponse) error {
			got = append(got, proto.CloneOf(m))
			if !moved {
				moved = true
				r.clock.Add(31 * 24 * time.Hour)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		same(t, kinds(got), []string{"CREATED 1", "ENDED 2"})
		same(t, got[1].GetSession().GetState(), sessionv1.Session_STATE_EXPIRED)
		same(t, r.get(t, "s"), got[1].GetSession())
	})
}

func TestWatcherLeaves(t *testing.T) {
	t.Parallel()
	each(t, false, func(t *testing.T, r *room) {
		r.create(t, "s")
		ctx, cancel := context.WithCancel(as(t, "me"))
		_ = r.WatchSession(ctx, &sessionv1.WatchSessionRequest{SessionId: "s"}, func(*sessionv1.WatchSessionResponse) error {
			cancel()
			return nil
		})
		if ctx.Err() == nil {
			t.Error("returned before the caller left")
		}
	})
}

func TestDrainEndsWatchers(t *testing.T) {
	t.Parallel()
	r := onSQLite(t, config(), true)
	r.create(t, "s")
	_, err := watchUntilReopen(t, r)
	refused(t, err, meshv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN, "")
}

// watchUntilReopen watches and restarts the room once the watch is under way.
func watchUntilReopen(t *testing.T, r *room) (int, error) {
	old := r.SessionServiceCaller
	under := make(chan struct{})
	done := make(chan error)
	n := 0
	go func() {
		done <- old.WatchSession(as(t, "me"), &sessionv1.WatchSessionRequest{SessionId: "s"}, func(*sessionv1.WatchSessionResponse) error {
			n++
			close(under)
			return nil
		})
	}()
	<-under
	r.reopen()
	return n, <-done
}

func TestLimits(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.MaxMessageBytes, cfg.MaxMessages, cfg.MaxPreferencesBytes, cfg.MaxPageBytes, cfg.MaxWatchers = 200, 3, 100, 300, 1
	r := onSQLite(t, cfg, true)
	const tooLarge = meshv1.ErrorReason_ERROR_REASON_TOO_LARGE
	r.create(t, "s")
	appended := func(messages ...*conversationv1.Message) error {
		_, err := r.AppendMessages(as(t, "me"), &sessionv1.AppendMessagesRequest{SessionId: "s", Messages: messages})
		return err
	}
	err := appended(user("a", "x"), user("b", strings.Repeat("x", 200)))
	refused(t, err, tooLarge, "messages[1]")
	same(t, fault.From(err).Metadata["limit_bytes"], "200")
	if err := appended(user("a", strings.Repeat("x", 150)), user("b", strings.Repeat("x", 150))); err != nil {
		t.Fatal(err)
	}
	refused(t, appended(user("c", "x"), user("d", "x")), tooLarge, "")
	if err := appended(user("a", "x"), user("c", "x")); err != nil {
		t.Fatal(err)
	}
	same(t, r.history(t, "s"), []string{"a", "b", "c"})

	resp, err := r.ListMessages(as(t, "me"), &sessionv1.ListMessagesRequest{SessionId: "s"})
	if err != nil {
		t.Fatal(err)
	}
	if len(resp.GetMessages()) != 2 || resp.GetNextPageToken() == "" {
		t.Errorf("a page of %d messages", len(resp.GetMessages()))
	}

	big := &sessionv1.Session{Id: "s", Preferences: preferences(t, map[string]any{"k": strings.Repeat("x", 60)})}
	if _, err := r.UpdateSession(as(t, "me"), &sessionv1.UpdateSessionRequest{Session: big}); err != nil {
		t.Fatal(err)
	}
	big.Preferences = preferences(t, map[string]any{"l": strings.Repeat("x", 60)}) // too large only together
	_, err = r.UpdateSession(as(t, "me"), &sessionv1.UpdateSessionRequest{Session: big})
	refused(t, err, tooLarge, "session.preferences")
	_, err = r.CreateSession(as(t, "me"), &sessionv1.CreateSessionRequest{Messages: []*conversationv1.Message{user("", "1"), user("", "2"), user("", "3"), user("", "4")}})
	refused(t, err, tooLarge, "")

	_, err = watch(as(t, "me"), r, "s", 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	err = r.WatchSession(as(t, "me"), &sessionv1.WatchSessionRequest{SessionId: "s"}, func(*sessionv1.WatchSessionResponse) error {
		_, inner := watch(as(t, "me"), r, "s", 0, 1)
		refused(t, inner, meshv1.ErrorReason_ERROR_REASON_OVERLOADED, "")
		return errEnough
	})
	if err != errEnough {
		t.Error(err)
	}
}

func TestInvalidFields(t *testing.T) {
	t.Parallel()
	each(t, true, func(t *testing.T, r *room) {
		for field, req := range map[string]*sessionv1.CreateSessionRequest{
			"user_id":              {UserId: "a\x00"},
			"session.title":        {Session: &sessionv1.Session{Title: "a\x00"}},
			"session.idle_timeout": {Session: &sessionv1.Session{IdleTimeout: durationpb.New(-1)}},
			"session.expire_time":  {Session: &sessionv1.Session{ExpireTime: timestamppb.New(r.clock.Now())}},
			"messages[0]":          {Messages: []*conversationv1.Message{user("", "\xff")}},
			"session.metadata":     {Session: &sessionv1.Session{Metadata: map[string]string{"k": "\xff"}}},
		} {
			_, err := r.CreateSession(as(t, "me"), req)
			refused(t, err, invalidField, field)
		}
		_, err := r.UpdateSession(as(t, "me"), &sessionv1.UpdateSessionRequest{Session: &sessionv1.Session{Title: "x"}})
		refused(t, err, invalidField, "session.id")
		_, err = r.GetSession(as(t, "me"), &sessionv1.GetSessionRequest{SessionId: "a\x00"})
		refused(t, err, notFound, "")
		_, err = watch(as(t, "me"), r, "a\x00", 0, 1)
		refused(t, err, notFound, "")
	})
}

// TestStoreUnavailable closes the database under the room.
func TestStoreUnavailable(t *testing.T) {
	t.Parallel()
	r := onSQLite(t, config(), true)
	old := r.SessionServiceCaller
	r.create(t, "s")
	r.reopen()
	_, err := old.AppendMessages(as(t, "me"), &sessionv1.AppendMessagesRequest{SessionId: "s", Messages: []*conversationv1.Message{user("a", "x")}})
	refused(t, err, meshv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE, "")
	if strings.Contains(fault.From(err).Message, "sql") {
		t.Errorf("%q tells what is behind the room", fault.From(err).Message)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	if err := session.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	cfg := session.DefaultConfig()
	cfg.MaxPageBytes = 0
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "session.max_page_bytes") {
		t.Errorf("got %v", err)
	}
	if _, err := session.New(cfg, session.Deps{}); err == nil {
		t.Error("a wrong configuration was taken")
	}
	if _, err := session.New(session.DefaultConfig(), session.Deps{}); err == nil {
		t.Error("no store was taken")
	}
}
