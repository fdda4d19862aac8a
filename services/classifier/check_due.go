package classifier

import (
	"context"
	"errors"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store"
)

// check deletes what is more than is kept of heads, and trains one that is due.
func (l *Learning) check(ctx context.Context) error {
	counts, err := l.store.Counts(ctx)
	if err != nil {
		return err
	}
	for _, c := range counts {
		if c.Samples > int64(l.cfg.MaxSamples) {
			if _, err := l.store.TrimSamples(ctx, c.Head, l.cfg.MaxSamples); err != nil {
				return err
			}
		}
		if c.Feedback > int64(l.cfg.MaxSamples) {
			if _, err := l.store.TrimFeedback(ctx, c.Head, l.cfg.MaxSamples); err != nil {
				return err
			}
		}
	}
	if err := l.trimModels(ctx); err != nil {
		return err
	}
	return l.trainDue(ctx, counts)
}

// maxActivations is how many times Rollback can be called in a row.
const maxActivations = 100

// trimModels deletes what was learnt long ago.
func (l *Learning) trimModels(ctx context.Context) error {
	if _, err := l.store.TrimVersions(ctx, l.cfg.MaxVersions); err != nil {
		return err
	}
	if _, err := l.store.TrimActivations(ctx, maxActivations); err != nil {
		return err
	}
	_, err := l.store.TrimTrainings(ctx, l.cfg.MaxTrainings)
	return err
}

// trainDue trains the first head that is due by count, by schedule or by what
// feedback says of its predictions. There is one training at a time: another
// head waits for the next look.
func (l *Learning) trainDue(ctx context.Context, counts []store.HeadCount) error {
	for _, c := range counts {
		last, err := l.store.LastTraining(ctx, c.Head)
		if err != nil {
			return err
		}
		if !last.IsZero() {
			l.metrics.trained.WithLabelValues(headName(c.Head)).Set(float64(last.Unix()))
		}
		if c.Samples < int64(l.cfg.MinSamples) {
			continue
		}
		fresh := c.Samples
		if !last.IsZero() {
			if fresh, err = l.store.CountSince(ctx, c.Head, last); err != nil {
				return err
			}
		}
		trigger := ""
		switch {
		case l.cfg.NewSamples > 0 && fresh >= int64(l.cfg.NewSamples):
			trigger = "count"
		case l.cfg.Every > 0 && fresh > 0 && !last.IsZero() && l.now().Sub(last) >= l.cfg.Every:
			trigger = "schedule"
		case l.cfg.Every > 0 && last.IsZero():
			trigger = "schedule"
		case fresh > 0:
			imprecise, err := l.imprecise(ctx, c.Head, last)
			if err != nil {
				return err
			}
			if imprecise {
				trigger = "precision"
			}
		}
		if trigger == "" {
			continue
		}
		_, err = l.begin(ctx, order{head: c.Head, minSamples: l.cfg.MinSamples, canary: int32(l.cfg.CanaryPercent), seed: 1, trigger: trigger})
		switch refused := fault.From(err); {
		case err == nil, refused.Reason == meshv1.ErrorReason_ERROR_REASON_TRAINING_RUNNING:
			return nil
		case refused.Reason == meshv1.ErrorReason_ERROR_REASON_TOO_FEW_SAMPLES:
			continue // too few fit in MaxBytes: the next head need not wait for that
		default:
			return errors.Join(err, refused.Cause)
		}
	}
	return nil
}

// judgedPredictions is how many of the newest predictions that feedback spoke
// of are looked at; there must be minSamples of them.
const judgedPredictions = 1000

// imprecise says whether too few of a head's predictions were right since it
// was last tried.
func (l *Learning) imprecise(ctx context.Context, head string, since time.Time) (bool, error) {
	if l.cfg.MinPrecision == 0 {
		return false, nil
	}
	judged, right, err := l.store.Judged(ctx, head, since, judgedPredictions)
	return err == nil && judged >= minSamples && float64(right) < l.cfg.MinPrecision*float64(judged), err
}
