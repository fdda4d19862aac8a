package request

import (
	"fmt"
	"testing"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/response/responsetest"
	"github.com/gptmesh/gptmesh/services/session/sessiontest"
)

// TestExperimentOfReplicas: what one process begins the other follows, both
// assign alike, and results hold the requests of both.
func TestExperimentOfReplicas(t *testing.T) {
	t.Parallel()
	url, response := pgtest.DB(t), responsetest.New()
	replica := func() *world {
		db, err := postgres.Open(t.Context(), postgres.Config{URL: url, Schema: "request"})
		if err != nil {
			t.Fatal(err)
		}
		_, forPostgres := Migrations()
		if _, err := db.Migrate(t.Context(), forPostgres); err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, response: response}
		cfg := DefaultConfig()
		cfg.ExperimentsTTL = time.Millisecond
		if w.Service, err = New(cfg, Deps{
			Postgres: db, Response: responsev1.LocalResponseService(response, nil), Session: sessionv1.LocalSessionService(sessiontest.New(), nil),
			GPT: &shop{}, Codec: codec,
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
	one, other := replica(), replica()
	by := func(w *world, user int) string {
		req := askFor("auto:best", easy)
		req.UserId = fmt.Sprint("user-", user)
		g := w.submit(t.Context(), req)
		if g.err != nil {
			t.Fatal(g.err)
		}
		return g.requests[0].GetDecision().GetPolicy()
	}
	equal(t, by(other, 0), "best") // it knows of no experiment yet
	if _, err := one.CreateExperiment(t.Context(), &requestv1.CreateExperimentRequest{Experiment: &requestv1.Experiment{
		Name: "x", Policy: "best", Treatment: "cheap", Mode: requestv1.Experiment_MODE_SPLIT, Percent: 100, Key: requestv1.Experiment_KEY_USER,
	}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other follows", func() bool { return by(other, 0) == "cheap" })
	if _, err := other.UpdateExperiment(t.Context(), &requestv1.UpdateExperimentRequest{Experiment: "x", Percent: 50}); err != nil {
		t.Fatal(err)
	}
	const control = 3 // a user outside half of all
	eventually(t, "the first follows", func() bool {
		return by(one, control) == "best"
	})
	for user := range 20 {
		equal(t, by(one, user), by(other, user))
	}
	a, err := one.GetExperiment(t.Context(), &requestv1.GetExperimentRequest{Experiment: "x"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := other.GetExperiment(t.Context(), &requestv1.GetExperimentRequest{Experiment: "x"})
	if err != nil {
		t.Fatal(err)
	}
	sum := func(r *requestv1.GetExperimentResponse) int64 {
		return r.GetVariants()[0].GetRequests() + r.GetVariants()[1].GetRequests()
	}
	if sum(a) < 40 || sum(a) != sum(b) {
		t.Errorf("%d and %d requests", sum(a), sum(b))
	}
}
