// Package store keeps what the classifier learns from and what it learnt:
// feedback, training samples, versions of models and the runs that made them.
// Its comments are the specification that package storetest holds every
// implementation to.
//
// All times have microseconds and are UTC.
package store

import (
	"context"
	"errors"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
)

var (
	// ErrNotFound says that there is no such row.
	ErrNotFound = errors.New("classifier store: not found")
	// ErrExists says that the id is taken by something else.
	ErrExists = errors.New("classifier store: id exists")
	// ErrBusy says that a training runs.
	ErrBusy = errors.New("classifier store: a training runs")
	// ErrNoPrevious says that no version was active before the present one.
	ErrNoPrevious = errors.New("classifier store: no previous version")
	// ErrUnavailable says that the store cannot serve now: locked, full, out of
	// reach or closed. It wraps the driver's error.
	ErrUnavailable = errors.New("classifier store: unavailable")
)

// Store keeps it. It is safe for concurrent use. Errors are the above, an
// error of the context, or unexpected. What a call returns may be changed.
type Store interface {
	Samples
	Registry
	Trainings

	// Ping says whether the store can serve.
	Ping(ctx context.Context) error
}

// Samples keeps feedback and training samples.
type Samples interface {
	// AddFeedback stores feedback and, where sample is not nil, the sample that
	// was made of it, both or none. ErrExists where the owner has feedback of
	// this id; nothing is stored then.
	AddFeedback(ctx context.Context, f *classifierv1.Feedback, sample *Sample) error
	// Feedback returns the owner's feedback of this id.
	Feedback(ctx context.Context, owner, id string) (*classifierv1.Feedback, error)
	// Judged looks at the newest limit feedback of a head at or after a time, and
	// returns how many speak of a prediction, and of how many of them it was the
	// right label.
	Judged(ctx context.Context, head string, since time.Time, limit int) (judged, right int, err error)
	// AddSamples stores samples, all or none, but passes over those whose head
	// has one of the same source already. It returns how many were stored.
	AddSamples(ctx context.Context, list []*Sample) (int, error)
	// Samples returns samples, newest first; those stored at the same time by
	// descending id.
	Samples(ctx context.Context, q SampleQuery) ([]*Sample, error)
	// Counts returns, for every head with samples or feedback, how many there
	// are, by head.
	Counts(ctx context.Context) ([]HeadCount, error)
	// CountSince returns how many samples of a head were stored at or after a
	// time.
	CountSince(ctx context.Context, head string, since time.Time) (int64, error)
	// Trim deletes all samples of a head but the newest keep, and returns how
	// many it deleted.
	Trim(ctx context.Context, head string, keep int) (int64, error)
}

// Sample is a training sample and who brought it.
type Sample struct {
	Owner string
	*classifierv1.TrainingSample
}

// SampleQuery selects samples.
type SampleQuery struct {
	// Owner, Head and SourceID keep those that have them; empty means all.
	Owner, Head, SourceID string
	// Before keeps those that come after this one in the order of the list: its
	// time and id. Nil means all.
	Before *classifierv1.TrainingSample
	// Limit is the most to return.
	Limit int
}

// HeadCount is how many samples and feedbacks a head has.
type HeadCount struct {
	Head     string
	Samples  int64
	Feedback int64
	// Labels is how many samples each label has, by label.
	Labels []*classifierv1.LabelCount
}

// Registry keeps versions of models. A head has at most one active version and
// one canary; a head without an active version is answered by the built-in one,
// which is no row. What was active before is remembered in order.
type Registry interface {
	// AddVersion stores a version and its file as a candidate or rejected, with
	// the next number of its head. Where the head has a version of the same
	// file_digest, that one is returned and nothing is stored.
	AddVersion(ctx context.Context, v *classifierv1.ModelVersion, file []byte) (*classifierv1.ModelVersion, error)
	// Version returns a version.
	Version(ctx context.Context, id string) (*classifierv1.ModelVersion, error)
	// File returns a version's file.
	File(ctx context.Context, id string) ([]byte, error)
	// Versions returns versions by head, those of a head by descending number.
	Versions(ctx context.Context, q VersionQuery) ([]*classifierv1.ModelVersion, error)
	// Activate makes a version the active one of its head; the one before is
	// retired and remembered. Id "" stands for the built-in version. Doing it
	// again changes nothing. A canary that becomes active is no canary any more;
	// another canary stays.
	Activate(ctx context.Context, head, id string, at time.Time) error
	// SetCanary makes a version the canary of its head; another one is retired.
	// ErrExists where the version is the active one.
	SetCanary(ctx context.Context, head, id string, percent int32) error
	// EndCanary retires the canary of a head, if there is one.
	EndCanary(ctx context.Context, head string) error
	// Rollback makes active what was active before, retires the present version
	// and the canary, and returns the id of the active one; "" is the built-in
	// version, which was active before anything else. ErrNoPrevious where
	// nothing was activated, or where only the built-in version is left and
	// builtIn says that there is none.
	Rollback(ctx context.Context, head string, builtIn bool, at time.Time) (string, error)
	// Lineup returns all active versions and canaries, and the revision of the
	// registry, which is another after every change of them.
	Lineup(ctx context.Context) (revision int64, list []*classifierv1.ModelVersion, err error)
	// Revision returns the revision alone.
	Revision(ctx context.Context) (int64, error)
}

// VersionQuery selects versions.
type VersionQuery struct {
	// Head keeps those of one head; empty means all.
	Head string
	// AfterHead and AfterNumber keep those that come after this place; an empty
	// AfterHead means all.
	AfterHead   string
	AfterNumber int64
	// Limit is the most to return.
	Limit int
}

// Trainings keeps runs.
type Trainings interface {
	// BeginTraining stores a run that begins. Where one runs already it returns
	// that one's id and ErrBusy. A run that has not been heard of since stale is
	// taken for dead and ends as interrupted.
	BeginTraining(ctx context.Context, t *classifierv1.Training, now, stale time.Time) (running string, err error)
	// Beat says that a run goes on, and returns whether it is to be cancelled.
	// ErrNotFound where it was taken for dead.
	Beat(ctx context.Context, id string, now time.Time) (cancel bool, err error)
	// AskCancel asks for a run to be cancelled; nothing where it has ended.
	AskCancel(ctx context.Context, id string) error
	// EndTraining stores how a run ended. ErrNotFound where it does not run.
	EndTraining(ctx context.Context, t *classifierv1.Training) error
	// Training returns a run.
	Training(ctx context.Context, id string) (*classifierv1.Training, error)
	// ListTrainings returns runs, newest first, those with ids below before
	// alone where it is not empty. Head "" means all.
	ListTrainings(ctx context.Context, head, before string, limit int) ([]*classifierv1.Training, error)
	// LastTraining returns when the newest run of a head began, zero where there
	// was none.
	LastTraining(ctx context.Context, head string) (time.Time, error)
}
