package request

import (
	"context"
	"sync"
	"testing"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/response/responsetest"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestOneKeyOneCall(t *testing.T) {
	t.Parallel()
	w := open(t, options{})
	reached, goOn := make(chan struct{}, 9), make(chan struct{})
	w.response.Play(waits(reached, goOn, "a", "b"))
	req := ask("hi")
	req.IdempotencyKey = "k1"
	results := make([]got, 8)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() { results[i] = w.submit(t.Context(), req) })
	}
	<-reached
	close(goOn)
	all.Wait()
	for _, g := range results {
		equal(t, g, "1:^a 2:b 3:$")
		equal(t, g.requests[len(g.requests)-1].GetState(), completed)
		equal(t, g.requests[0].GetId(), results[0].requests[0].GetId())
	}
	if n := len(w.response.Calls()); n != 1 {
		t.Fatalf("%d model calls", n)
	}
	detached, err := w.caller.SubmitDetached(t.Context(), &requestv1.SubmitDetachedRequest{Submit: req})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, detached.GetRequest().GetId(), results[0].requests[0].GetId())

	other := ask("something else")
	other.IdempotencyKey = "k1"
	equal(t, w.submit(t.Context(), other), "error:IDEMPOTENCY_CONFLICT")
	you := callctx.With(t.Context(), callctx.Call{Principal: callctx.Principal{ID: "you"}})
	w.response.Play(responsetest.Says("Hel", "lo"))
	equal(t, w.submit(you, other), hello) // keys are per principal
}

func TestKeyAfterAFailure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script       responsetest.Script
		first, again string
		calls        int
	}{
		"client's fault":       {fails(fault.InvalidField("turn.tools", "no")), "error:INVALID_FIELD", "error:INVALID_FIELD", 1},
		"not the client's":     {fails(away), "error:PROVIDER_ERROR", hello, 2},
		"after the first part": {fails(away, "a"), "1:^a 2:!PROVIDER_ERROR", "1:^a 2:!PROVIDER_ERROR", 1},
		"interrupted":          {fails(wasInterrupted("x")), "error:INTERRUPTED", "error:INTERRUPTED", 1},
		"not found":            {fails(fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND, "no")), "error:MODEL_NOT_FOUND", "error:MODEL_NOT_FOUND", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t, options{})
			w.response.Play(c.script)
			req := ask("hi")
			req.IdempotencyKey = "k"
			equal(t, w.submit(t.Context(), req), c.first)
			w.response.Play(responsetest.Says("Hel", "lo"))
			equal(t, w.submit(t.Context(), req), c.again)
			equal(t, len(w.response.Calls()), c.calls)
		})
	}
}

func TestKeyExpires(t *testing.T) {
	t.Parallel()
	w := open(t, options{config: func(c *Config) { c.KeyLifetime, c.SweepInterval = 20*time.Millisecond, 5*time.Millisecond }})
	req := ask("hi")
	req.IdempotencyKey = "k"
	equal(t, w.submit(t.Context(), req), hello)
	eventually(t, "the key is gone", func() bool {
		equal(t, w.submit(t.Context(), req), hello)
		return len(w.response.Calls()) > 1
	})
}

// TestRestart reopens a store as a process that died left it.
func TestRestart(t *testing.T) {
	t.Parallel()
	w := open(t, options{})
	ctx := t.Context()
	equal(t, w.submit(ctx, ask("hi")), hello)
	whole := w.newest()
	reached := make(chan struct{}, 1)
	w.response.Play(waits(reached, nil, "a"))
	left, leave := context.WithCancel(ctx)
	over := make(chan got, 1)
	go func() { over <- w.submit(left, ask("hi")) }()
	<-reached
	leave()
	<-over
	cut := w.newest()
	equal(t, cut.GetState(), cancelled)
	open1 := func(id, response string) {
		r := &requestv1.Request{Id: id, Owner: "local", ResponseId: response, State: accepted, CreateTime: timestamppb.Now()}
		if err := w.store.Accept(ctx, r, "dead", nil); err != nil {
			t.Fatal(err)
		}
	}
	open1("req_whole", whole.GetResponseId())
	open1("req_lost", "resp_lost")
	open1("req_cut", cut.GetResponseId())
	w.close()
	again := open(t, options{path: w.path, response: w.response, session: w.session})
	equal(t, again.get("req_whole").GetState(), completed)
	equal(t, again.get("req_whole").GetUsage().GetOutputTokens(), 2)
	for _, id := range []string{"req_lost", "req_cut"} {
		lost := again.get(id)
		equal(t, lost.GetState().String()+fault.ReasonName(lost.GetFailure().GetReason()), "STATE_INTERRUPTEDINTERRUPTED")
	}
}
