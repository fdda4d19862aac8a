package request

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"github.com/gptmesh/gptmesh/services/response/responsetest"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// onBothStores runs a test over each.
func onBothStores(t *testing.T, test func(t *testing.T, o options)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); test(t, options{}) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); test(t, options{url: pgtest.DB(t)}) })
}

func keyed(text string, stream bool) *requestv1.SubmitRequest {
	req := ask(text)
	req.IdempotencyKey, req.Turn.Stream = "k-"+text, stream
	return req
}

// TestKeyOfAClientThatLeft leaves before the first chunk, while a provider may
// be at work, and comes again with the key.
func TestKeyOfAClientThatLeft(t *testing.T) {
	onBothStores(t, func(t *testing.T, o options) {
		w := open(t, o)
		reached := make(chan struct{}, 1)
		for _, stream := range []bool{true, false} {
			for policy, want := range map[responsev1.DisconnectPolicy]string{
				responsev1.DisconnectPolicy_DISCONNECT_POLICY_UNSPECIFIED: "error:OUTCOME_UNKNOWN",
				responsev1.DisconnectPolicy_DISCONNECT_POLICY_CANCEL:      "error:OUTCOME_UNKNOWN",
				responsev1.DisconnectPolicy_DISCONNECT_POLICY_DRAIN:       "1:^$",
				responsev1.DisconnectPolicy_DISCONNECT_POLICY_DETACH:      "1:^$",
			} {
				goOn := make(chan struct{})
				w.response.Play(waits(reached, goOn))
				calls := len(w.response.Calls())
				req := keyed(fmt.Sprint(policy, stream), stream)
				req.OnDisconnect = policy
				ctx, leave := context.WithCancel(t.Context())
				first := make(chan got, 1)
				go func() { first <- w.submit(ctx, req) }()
				<-reached
				leave()
				equal(t, reason((<-first).err), "CANCELLED")
				again := make(chan got, 1)
				go func() { again <- w.submit(t.Context(), req) }()
				close(goOn)
				g := <-again
				equal(t, g, want)
				if g.err != nil {
					m := fault.From(g.err).Metadata
					equal(t, m["cause"]+m["request_id"]+m["response_id"], "CANCELLED"+w.newest().GetId()+w.newest().GetResponseId())
					equal(t, fault.From(g.err).Code, codes.Aborted)
				}
				equal(t, w.submit(t.Context(), req), want) // whenever
				equal(t, len(w.response.Calls()), calls+1)
			}
		}
	})
}

// TestKeyOutlivesItsFirstClient has one more attached to an answer when the
// client that began it leaves, and then nobody.
func TestKeyOutlivesItsFirstClient(t *testing.T) {
	onBothStores(t, func(t *testing.T, o options) {
		w := open(t, o)
		for _, stay := range []bool{true, false} {
			reached, goOn := make(chan struct{}, 1), make(chan struct{})
			w.response.Play(waits(reached, goOn, "a"))
			calls := len(w.response.Calls())
			req := keyed(fmt.Sprint(stay), true)
			firstCtx, leaveFirst := context.WithCancel(t.Context())
			secondCtx, leaveSecond := context.WithCancel(t.Context())
			defer leaveSecond()
			first, second := make(chan got, 1), make(chan got, 1)
			go func() { first <- w.submit(firstCtx, req) }()
			<-reached
			attached := make(chan struct{})
			var once sync.Once
			go func() {
				second <- w.submit(secondCtx, req, func(*requestv1.SubmitResponse) error { once.Do(func() { close(attached) }); return nil })
			}()
			<-attached
			leaveFirst()
			run := w.runningHere("local", w.newest().GetId())
			eventually(t, "it is known that the first has left", func() bool {
				run.crowd.Lock()
				defer run.crowd.Unlock()
				return run.deserted
			})
			if stay {
				close(goOn)
				equal(t, <-second, "1:^a 2:$")
				equal(t, reason((<-first).err), "CANCELLED")
				equal(t, w.newest().GetState(), completed)
			} else {
				leaveSecond()
				equal(t, reason((<-second).err), "CANCELLED")
				equal(t, reason((<-first).err), "CANCELLED")
				equal(t, w.newest().GetState(), cancelled)
			}
			equal(t, len(w.response.Calls()), calls+1)
		}
	})
}

// TestKeyAfterADeadline lets the time run out before the first chunk.
func TestKeyAfterADeadline(t *testing.T) {
	onBothStores(t, func(t *testing.T, o options) {
		w := open(t, o)
		for _, stream := range []bool{true, false} {
			for _, policy := range []responsev1.DisconnectPolicy{0, responsev1.DisconnectPolicy_DISCONNECT_POLICY_DETACH} {
				reached := make(chan struct{}, 9)
				w.response.Play(waits(reached, nil))
				req := keyed(fmt.Sprint(stream, policy), stream)
				req.OnDisconnect = policy
				for limit := 30 * time.Millisecond; len(reached) == 0; limit *= 2 {
					if req.IdempotencyKey += "x"; limit > 20*time.Second {
						t.Fatal("the response room was never asked")
					}
					req.Timeout = durationpb.New(limit)
					equal(t, w.submit(t.Context(), req), "error:DEADLINE_EXCEEDED")
				}
				calls := len(w.response.Calls())
				w.response.Play(responsetest.Says("Hel", "lo"))
				req.Timeout = nil
				g := w.submit(t.Context(), req)
				equal(t, g, "error:OUTCOME_UNKNOWN")
				equal(t, fault.From(g.err).Metadata["cause"], "DEADLINE_EXCEEDED")
				equal(t, len(w.response.Calls()), calls)
			}
		}
	})
}

// TestKeyOfAKilledProcess finds the row of a process that died between sending
// and the first chunk.
func TestKeyOfAKilledProcess(t *testing.T) {
	onBothStores(t, func(t *testing.T, o options) {
		for _, repeat := range []bool{false, true} {
			o.config = func(c *Config) {
				c.RepeatUnknown, c.HeartbeatInterval, c.DeadAfter = repeat, 100*time.Millisecond, 2*time.Second
			}
			w := open(t, o)
			for _, stream := range []bool{true, false} {
				req := keyed(fmt.Sprint(repeat, stream), stream)
				hash, err := hashOf(req)
				if err != nil {
					t.Fatal(err)
				}
				now := time.Now()
				dead := &requestv1.Request{Id: "req_" + req.GetIdempotencyKey(), Owner: "local", ResponseId: "resp_none", State: accepted, CreateTime: timestamppb.Now()}
				key := &store.Key{Key: req.GetIdempotencyKey(), Hash: hash, Expires: now.Add(time.Hour), Now: now}
				if err := w.store.Accept(t.Context(), dead, "dead", key); err != nil {
					t.Fatal(err)
				}
				first := make(chan got, 1)
				go func() { first <- w.submit(t.Context(), req) }() // it waits until somebody finds the row
				if o.url == "" {
					if err := w.sweep(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if repeat { // the row may be found before the first has looked
					<-first
					equal(t, w.submit(t.Context(), req), hello)
					continue
				}
				equal(t, <-first, "error:INTERRUPTED")
				equal(t, w.submit(t.Context(), req), "error:INTERRUPTED")
				equal(t, len(w.response.Calls()), 0)
			}
		}
	})
}

// TestKeyPassesOn knows which failures let a key ask again.
func TestKeyPassesOn(t *testing.T) {
	t.Parallel()
	unavailable := func(reason meshv1.ErrorReason, metadata ...string) error {
		return fault.New(codes.Unavailable, reason, "no", metadata...)
	}
	late := fault.New(codes.DeadlineExceeded, meshv1.ErrorReason_ERROR_REASON_FIRST_TOKEN_TIMEOUT, "late")
	for name, c := range map[string]struct {
		err    error
		again  string
		repeat string // where the configuration would rather pay twice
	}{
		"declined":             {unavailable(meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR), hello, hello},
		"limited":              {fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED, "no"), hello, hello},
		"not reached":          {unavailable(meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE), hello, hello},
		"broke after sending":  {unavailable(meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE, "outcome", "unknown"), "error:OUTCOME_UNKNOWN", hello},
		"no room":              {unavailable(meshv1.ErrorReason_ERROR_REASON_ROOM_UNAVAILABLE), hello, hello},
		"overloaded":           {unavailable(meshv1.ErrorReason_ERROR_REASON_OVERLOADED), hello, hello},
		"stopping":             {unavailable(meshv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN), hello, hello},
		"stopping at work":     {unavailable(meshv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN, "outcome", "unknown"), "error:OUTCOME_UNKNOWN", hello},
		"nothing in time":      {late, "error:OUTCOME_UNKNOWN", hello},
		"late in the queue":    {fault.WithOutcome(late, fault.OutcomeNotBegun), hello, hello},
		"failed in one chunk":  {unavailable(meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "outcome", "partial"), "error:PROVIDER_ERROR", "error:PROVIDER_ERROR"},
		"empty":                {unavailable(meshv1.ErrorReason_ERROR_REASON_EMPTY_ANSWER), "error:EMPTY_ANSWER", "error:EMPTY_ANSWER"},
		"garbage":              {unavailable(meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL), "error:PROVIDER_PROTOCOL", "error:PROVIDER_PROTOCOL"},
		"cut off":              {unavailable(meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED), "error:STREAM_TRUNCATED", "error:STREAM_TRUNCATED"},
		"refused by the guard": {fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_BLOCKED, "no"), "error:BLOCKED", "error:BLOCKED"},
		"a fault of the mesh":  {fault.Internal(nil), "error:OUTCOME_UNKNOWN", hello},
	} {
		for _, repeat := range []bool{false, true} {
			t.Run(fmt.Sprint(name, repeat), func(t *testing.T) {
				t.Parallel()
				w := open(t, options{config: func(cfg *Config) { cfg.RepeatUnknown = repeat }})
				w.response.Play(fails(c.err))
				req := keyed("hi", true)
				equal(t, w.submit(t.Context(), req), "error:"+reason(c.err))
				w.response.Play(responsetest.Says("Hel", "lo"))
				want := c.again
				if repeat {
					want = c.repeat
				}
				equal(t, w.submit(t.Context(), req), want)
			})
		}
	}
}

// TestKeyResumes goes on behind a sequence number, under the key and by Watch.
func TestKeyResumes(t *testing.T) {
	onBothStores(t, func(t *testing.T, o options) {
		w := open(t, o)
		reached, goOn := make(chan struct{}, 1), make(chan struct{})
		w.response.Play(waits(reached, goOn, "a", "b", "c"))
		req := keyed("hi", true)
		first := make(chan got, 1)
		go func() { first <- w.submit(t.Context(), req) }()
		<-reached
		id := w.newest().GetId()
		results := make([]got, 10)
		var all sync.WaitGroup
		for i := range results {
			all.Go(func() {
				after := int64(i % 5)
				if i < 5 {
					again := keyed("hi", true)
					again.AfterSequence = after
					results[i] = w.submit(t.Context(), again)
					return
				}
				results[i] = w.watch(t.Context(), id, after)
			})
		}
		close(goOn)
		all.Wait()
		equal(t, <-first, "1:^a 2:b 3:c 4:$")
		for i := range results {
			want := []string{"1:^a 2:b 3:c 4:$", "2:b 3:c 4:$", "3:c 4:$", "4:$", ""}[i%5]
			if i%5 == 4 {
				continue // the end was seen: what comes is the room's to say
			}
			equal(t, results[i], want)
			equal(t, results[i].requests[len(results[i].requests)-1].GetState(), completed)
		}
		equal(t, w.watch(t.Context(), "req_none", 0), "error:REQUEST_NOT_FOUND")

		w.response.Play(fails(away))
		equal(t, w.submit(t.Context(), ask("no")), "error:PROVIDER_ERROR")
		equal(t, w.watch(t.Context(), w.newest().GetId(), 0), "error:PROVIDER_ERROR")
		w.response.Play(fails(wasInterrupted("x"), "a"))
		equal(t, w.submit(t.Context(), ask("no")), "1:^a 2:!INTERRUPTED")
		equal(t, w.watch(t.Context(), w.newest().GetId(), 1), "2:!INTERRUPTED")
	})
}

func (w *world) watch(ctx context.Context, id string, after int64) got {
	var g got
	g.err = w.caller.Watch(ctx, &requestv1.WatchRequest{RequestId: id, AfterSequence: after}, func(m *requestv1.WatchResponse) error {
		if m.GetRequest() != nil {
			g.requests = append(g.requests, proto.CloneOf(m.GetRequest()))
		}
		g.chunks = append(g.chunks, proto.CloneOf(m.GetChunk()))
		return nil
	})
	return g
}
