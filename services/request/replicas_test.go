package request

import (
	"sync"
	"testing"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/services/response/responsetest"
	"github.com/gptmesh/gptmesh/services/session/sessiontest"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// TestReplicas has two processes on one database: one key at both, a cancel
// through the other, and a process that died.
func TestReplicas(t *testing.T) {
	t.Parallel()
	url := pgtest.DB(t)
	response, session := responsetest.New(), sessiontest.New()
	replica := func(ahead time.Duration) *world {
		return open(t, options{url: url, response: response, session: session, clock: func() time.Time { return time.Now().Add(ahead) }})
	}
	both := []*world{replica(2 * time.Hour), replica(0)} // a clock has jumped
	reached, goOn := make(chan struct{}, 9), make(chan struct{})
	response.Play(waits(reached, goOn, "a"))
	req := ask("hi")
	req.IdempotencyKey = "k"
	results := make([]got, 6)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() { results[i] = both[i%2].submit(t.Context(), req) })
	}
	<-reached
	close(goOn)
	all.Wait()
	for _, g := range results {
		equal(t, g, "1:^a 2:$")
	}
	equal(t, len(response.Calls()), 1)

	response.Play(waits(reached, nil, "a"))
	running := make(chan got, 1)
	go func() { running <- both[0].submit(t.Context(), ask("long")) }()
	<-reached
	out, err := both[1].caller.CancelRequest(t.Context(), &requestv1.CancelRequestRequest{RequestId: both[1].newest().GetId()})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, out.GetRequest().GetState(), cancelled)
	equal(t, <-running, "1:^a 2:!CANCELLED")

	dead := &requestv1.Request{Id: "req_dead", Owner: "local", ResponseId: "resp_none", State: accepted, CreateTime: timestamppb.New(time.Now().Add(-time.Hour))}
	if err := both[0].store.Accept(t.Context(), dead, "dead", nil); err != nil {
		t.Fatal(err)
	}
	if err := both[1].sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, both[1].get("req_dead").GetState(), interrupted)
}
