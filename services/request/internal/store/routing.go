package store

import (
	"context"
	"errors"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
)

// ErrExists: there is an experiment of this name.
var ErrExists = errors.New("request store: exists")

// Routing keeps experiments and what is known of the requests in them. It is
// safe for concurrent use; what a request was in an experiment is kept by Add
// and Finish of Store, with the request.
type Routing interface {
	// AddExperiment adds an experiment; ErrExists where there is one of its name.
	AddExperiment(ctx context.Context, e *requestv1.Experiment) error

	// ChangeExperiment reads an experiment, lets change alter it, and stores it,
	// all at once; ErrNotFound. An error of change leaves it as it was.
	ChangeExperiment(ctx context.Context, name string, change func(*requestv1.Experiment) error) (*requestv1.Experiment, error)

	// Experiments returns all experiments by name.
	Experiments(ctx context.Context) ([]*requestv1.Experiment, error)

	// Assigned hands every final request of an experiment to each, oldest first,
	// of all owners. An error of each ends it.
	Assigned(ctx context.Context, experiment string, each func(Assigned) error) error

	// Rate keeps the rating of a request of owner in place of an earlier one;
	// ErrNotFound.
	Rate(ctx context.Context, owner, requestID string, rating float64) error

	// ExpireRouting removes what is known of requests in experiments, and
	// ratings, of requests made before a time, and experiments that ended before it.
	ExpireRouting(ctx context.Context, before time.Time) error
}

// Over are the names of those experiments of a list that ended before a time.
func Over(list []*requestv1.Experiment, before time.Time) []string {
	var names []string
	for _, e := range list {
		if end := e.GetEndTime(); end != nil && end.AsTime().Before(before) {
			names = append(names, e.GetName())
		}
	}
	return names
}

// Assigned is a request in an experiment.
type Assigned struct {
	// Request is the request.
	Request *requestv1.Request
	// Rating is what its client said; nil where it said nothing.
	Rating *float64
}

// Experiments are those that a request is in, by name.
func Experiments(r *requestv1.Request) []string {
	var names []string
	for _, a := range r.GetDecision().GetExperiments() {
		names = append(names, a.GetExperiment())
	}
	return names
}
