package request

import (
	"sync"
	"testing"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/pkg/postgres"
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
		db, err := postgres.Open(t.Context(), postgres.Config{URL: url, Schema: "request"})
		if err != nil {
			t.Fatal(err)
		}
		_, forPostgres := Migrations()
		if _, err := db.Migrate(t.Context(), forPostgres); err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, response: response, session: session}
		cfg := DefaultConfig()
		cfg.PollInterval, cfg.HeartbeatInterval, cfg.DeadAfter = 5*time.Millisecond, 100*time.Millisecond, 2*time.Second
		if w.Service, err = New(cfg, Deps{
			Postgres: db, Response: responsev1.LocalResponseService(response, nil), Session: sessionv1.LocalSessionService(session, nil), Codec: codec,
			Clock: func() time.Time { return time.Now().Add(ahead) },
		}); err != nil {
			t.Fatal(err)
		}
		w.caller = requestv1.LocalRequestService(w.Service, nil)
		t.Cleanup(func() {
			if err := w.Service.Close(); err != nil {
				t.Error(err)
			}
			db.Close()
		})
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		return w
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

	dead := &requestv1.Request{Id: "req_dead", Owner: "local", ResponseId: "resp_none", State: accepted, CreateTime: timestamppb.Now()}
	if err := both[0].store.Accept(t.Context(), dead, "dead", nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the dead one's request is finished", func() bool { return both[1].get("req_dead").GetState() == interrupted })
}
