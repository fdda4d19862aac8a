package storetest

import (
	"errors"
	"testing"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Routed is what keeps requests and experiments.
type Routed interface {
	store.Store
	store.Routing
}

// RunRouting runs the suite of store.Routing; open returns an empty store.
func RunRouting(t *testing.T, open func(t *testing.T) Routed) {
	t.Run("experiments", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		ok(t, s.AddExperiment(ctx, &requestv1.Experiment{Name: "b", Policy: "auto", Percent: 10}))
		ok(t, s.AddExperiment(ctx, &requestv1.Experiment{Name: "a", Policy: "auto"}))
		want(t, s.AddExperiment(ctx, &requestv1.Experiment{Name: "b", Policy: "other"}), store.ErrExists)
		changed, err := s.ChangeExperiment(ctx, "b", func(e *requestv1.Experiment) error { e.Percent = 20; return nil })
		ok(t, err)
		refused := errors.New("refused")
		_, err = s.ChangeExperiment(ctx, "b", func(e *requestv1.Experiment) error { e.Percent = 99; return refused })
		want(t, err, refused)
		_, err = s.ChangeExperiment(ctx, "none", func(*requestv1.Experiment) error { return nil })
		want(t, err, store.ErrNotFound)
		list, err := s.Experiments(ctx)
		ok(t, err)
		same(t, list, []*requestv1.Experiment{{Name: "a", Policy: "auto"}, changed})
		same(t, changed, &requestv1.Experiment{Name: "b", Policy: "auto", Percent: 20})
	})
	t.Run("requests of experiments", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		taking := func(id, owner string, at time.Duration, state requestv1.Request_State, experiments ...string) *requestv1.Request {
			r := in(request(id, owner, at), state)
			r.Decision = &requestv1.Decision{}
			for _, name := range experiments {
				r.Decision.Experiments = append(r.Decision.Experiments, &requestv1.ExperimentAssignment{Experiment: name, Variant: "control"})
			}
			return r
		}
		done := requestv1.Request_STATE_COMPLETED
		late := taking("late", "you", 2*time.Second, done, "x", "y")
		ok(t, s.Add(ctx, late, "one", true)) // written once
		early := taking("early", "me", time.Second, done, "x")
		ok(t, s.Accept(ctx, taking("early", "me", time.Second, requestv1.Request_STATE_ACCEPTED, "x"), "one", nil))
		ok(t, s.Accept(ctx, taking("open", "me", time.Second, requestv1.Request_STATE_ACCEPTED, "x"), "one", nil))
		ok(t, s.Finish(ctx, early, true)) // written in two steps
		want(t, s.Finish(ctx, early, true), store.ErrFinal)
		ok(t, s.Add(ctx, taking("none", "me", 0, done), "one", true))

		want(t, s.Rate(ctx, "you", "early", 0.5), store.ErrNotFound)
		ok(t, s.Rate(ctx, "me", "early", 0.5))
		ok(t, s.Rate(ctx, "me", "early", 1))
		var got []store.Assigned
		ok(t, s.Assigned(ctx, "x", func(a store.Assigned) error { got = append(got, a); return nil }))
		one := 1.0
		same(t, got, []store.Assigned{{Request: early, Rating: &one}, {Request: late}})
		for n, name := range []string{"goes", "over", "runs"} {
			e := &requestv1.Experiment{Name: name}
			if name != "runs" {
				e.EndTime = timestamppb.New(epoch.Add(time.Duration(n+1) * time.Second))
			}
			ok(t, s.AddExperiment(ctx, e))
		}
		ok(t, s.ExpireRouting(ctx, epoch.Add(1500*time.Millisecond)))
		var left []string
		experiments, err := s.Experiments(ctx)
		ok(t, err)
		for _, e := range experiments {
			left = append(left, e.GetName())
		}
		same(t, left, []string{"over", "runs"})
		got = nil
		ok(t, s.Assigned(ctx, "x", func(a store.Assigned) error { got = append(got, a); return nil }))
		same(t, got, []store.Assigned{{Request: late}})
		stop := errors.New("stop")
		want(t, s.Assigned(ctx, "y", func(store.Assigned) error { return stop }), stop)
	})
}
