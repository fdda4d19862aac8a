package classifier

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store"
	"github.com/gptmesh/gptmesh/services/classifier/learn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	beatInterval = 2 * time.Second
	deadAfter    = 30 * time.Second // a run not heard of since is taken for dead
	endTimeout   = 10 * time.Second // for storing how a run ended
	pageOfRows   = 1000
)

// order is what a training shall do.
type order struct {
	head       string
	minSamples int
	canary     int32
	seed       uint64
	trigger    string
}

// training is the run of this process.
type training struct {
	order
	row     *classifierv1.Training // belongs to the run's goroutine
	rows    []learn.Row
	cancel  context.CancelCauseFunc
	message atomic.Pointer[string] // what it does now
}

var (
	errCancelTraining = errors.New("cancelled")
	errDeadTraining   = errors.New("another process took this one for dead")
	errStopTraining   = errors.New("its process stops")
	errLateTraining   = errors.New("it took too long")
)

// begin starts a run that lives until its end or the room's. What it works from
// is read before it returns, so that too few samples are the caller's error; one
// call reads at a time, and none while a run of this process has what it read.
func (l *Learning) begin(ctx context.Context, o order) (*classifierv1.Training, error) {
	select {
	case l.begins <- struct{}{}:
		defer func() { <-l.begins }()
	case <-l.life.Done():
		return nil, shuttingDown()
	case <-ctx.Done():
		return nil, fault.From(ctx.Err())
	}
	if l.life.Err() != nil {
		return nil, shuttingDown()
	}
	if id := l.runs(ctx); id != "" {
		return nil, trainingRuns(id)
	}
	rows, err := l.rows(ctx, o.head)
	if err != nil {
		return nil, storeFault(err, nil)
	}
	if len(rows) < o.minSamples {
		return nil, tooFew(o.head, len(rows), o.minSamples)
	}
	now := l.now()
	row := &classifierv1.Training{
		Id: ids.At("trn", now), Head: o.head, State: classifierv1.Training_STATE_RUNNING, Trigger: o.trigger,
		Samples: int64(len(rows)), Message: "begins", CreateTime: timestamppb.New(now),
	}
	running, err := l.store.BeginTraining(ctx, row, now, now.Add(-deadAfter))
	if errors.Is(err, store.ErrBusy) {
		return nil, trainingRuns(running)
	}
	if err != nil {
		return nil, storeFault(err, nil)
	}
	l.metrics.trained.WithLabelValues(headName(o.head)).Set(float64(now.Unix()))
	t := &training{order: o, row: proto.CloneOf(row), rows: rows}
	life, cancel := context.WithCancelCause(l.life)
	t.cancel = cancel
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		cancel(nil)
		t.over(classifierv1.Training_STATE_INTERRUPTED, errStopTraining.Error(), l.now())
		return nil, errors.Join(shuttingDown(), l.store.EndTraining(ctx, t.row))
	}
	l.training = t
	l.work.Go(func() {
		defer cancel(nil)
		l.run(life, t)
	})
	return row, nil
}

// runs is the id of a run of this process, as the store knows it; empty without.
func (l *Learning) runs(ctx context.Context) string {
	l.mu.Lock()
	own := l.training
	l.mu.Unlock()
	if own == nil {
		return ""
	}
	id := own.row.GetId()
	if row, err := l.store.Training(ctx, id); err != nil || row.GetState() != classifierv1.Training_STATE_RUNNING {
		return ""
	}
	return id
}

// rows reads the newest samples of a head, up to the configured bounds.
func (l *Learning) rows(ctx context.Context, head string) ([]learn.Row, error) {
	var rows []learn.Row
	q := store.SampleQuery{Head: head, Limit: pageOfRows}
	for size := 0; len(rows) < l.cfg.MaxSamples; {
		list, err := l.store.Samples(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			if size += len(s.GetText()); size > l.cfg.MaxBytes || len(rows) == l.cfg.MaxSamples {
				return rows, nil
			}
			rows = append(rows, learn.Row{Document: learn.Document{Text: s.GetText(), Group: s.GetGroup()}, Label: s.GetLabel()})
		}
		if len(list) < q.Limit {
			break
		}
		q.Before = list[len(list)-1].TrainingSample
	}
	return rows, nil
}

// run trains, compares, and puts the version in its place.
func (l *Learning) run(ctx context.Context, t *training) {
	timed, stop := context.WithTimeoutCause(ctx, l.cfg.Timeout, errLateTraining)
	defer stop()
	beats := make(chan struct{})
	done := make(chan struct{})
	go func() { defer close(beats); l.beat(timed, t, done) }()
	err := l.make(timed, t)
	close(done)
	<-beats
	if err != nil {
		state, message := classifierv1.Training_STATE_FAILED, "the model could not be made"
		switch cause := context.Cause(timed); {
		case errors.Is(err, learn.ErrTooFew):
			message = err.Error()
		case errors.Is(cause, errCancelTraining):
			state, message = classifierv1.Training_STATE_CANCELLED, "somebody cancelled it"
		case errors.Is(cause, errLateTraining), errors.Is(cause, errDeadTraining):
			message = cause.Error()
		case l.life.Err() != nil:
			state, message = classifierv1.Training_STATE_INTERRUPTED, errStopTraining.Error()
		default:
			message += ": " + fault.From(err).Message
			l.log.Error("a training failed", "training_id", t.row.GetId(), "head", t.head, "error", err)
		}
		t.over(state, message, l.now())
	}
	l.finish(t)
}

// beat says that the run goes on, and hears whether it is to end.
func (l *Learning) beat(ctx context.Context, t *training, done <-chan struct{}) {
	ticker := time.NewTicker(beatInterval)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		cancel, err := l.store.Beat(ctx, t.row.GetId(), l.now())
		switch {
		case errors.Is(err, store.ErrNotFound):
			t.cancel(errDeadTraining)
		case cancel:
			t.cancel(errCancelTraining)
		}
	}
}

// finish stores how a run ended.
func (l *Learning) finish(t *training) {
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	if err := l.store.EndTraining(ctx, t.row); err != nil {
		l.log.Error("the end of a training cannot be stored", "training_id", t.row.GetId(), "error", err)
	}
	outcome := word(t.row.GetState().String(), "STATE_")
	l.metrics.trainings.WithLabelValues(headName(t.head), outcome).Inc()
	l.log.Info("a training ended", "training_id", t.row.GetId(), "head", t.head, "outcome", outcome, "message", t.row.GetMessage())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.training = nil
}

func (t *training) over(state classifierv1.Training_State, message string, now time.Time) {
	t.row.State, t.row.Message, t.row.FinishTime = state, message, timestamppb.New(now)
}

// say tells what the run does now.
func (t *training) say(message string) { t.message.Store(&message) }

// make trains a version, compares it with the active one on the rows that were
// kept out, and activates it where it is not worse.
func (l *Learning) make(ctx context.Context, t *training) error {
	train, kept := split(t.rows, l.cfg.Holdout, t.seed)
	t.rows = nil
	if len(kept) == 0 || len(train) == 0 {
		return fmt.Errorf("%w: no samples can be kept out, for all texts are alike", learn.ErrTooFew)
	}
	model, err := learn.Train(ctx, train, learn.TrainConfig{
		Head: t.head, Seed: t.seed, Source: "feedback and tasks of this mesh",
		Progress: func(stage string, done, total int) { t.say(fmt.Sprintf("%s: %d of %d", stage, done, total)) },
	})
	if err != nil {
		return err
	}
	t.say("compares")
	version, err := l.judge(model, kept, t)
	if err != nil {
		return err
	}
	version.Note = "training " + t.row.GetId() + ": " + version.GetNote()
	l.metrics.accuracy.WithLabelValues(headName(t.head)).Set(version.GetEvaluation().GetAccuracy())
	stored, err := l.store.AddVersion(ctx, version, model.Bytes(), math.MaxInt) // its head has samples
	if err != nil {
		return err
	}
	state := classifierv1.Training_STATE_REJECTED
	if version.GetState() != classifierv1.ModelVersion_STATE_REJECTED {
		state = classifierv1.Training_STATE_ACTIVATED
		if err := l.activate(ctx, stored, t.canary); err != nil {
			return err
		}
	}
	if stored, err = l.store.Version(ctx, stored.GetId()); err != nil {
		return err
	}
	t.row.Version = stored
	t.over(state, version.GetNote(), l.now())
	return nil
}

// judge measures a model and the active one on the same rows and makes a
// version of it: rejected where it is worse, and says why.
func (l *Learning) judge(model *learn.Model, kept []learn.Row, t *training) (*classifierv1.ModelVersion, error) {
	v := versionOf(model, classifierv1.ModelVersion_ORIGIN_RETRAINED, l.now())
	own, err := model.Evaluate(kept)
	if err != nil {
		return nil, err
	}
	v.Evaluation = figures(own)
	v.Note = fmt.Sprintf("accuracy %.4f on %d kept-out samples", own.Accuracy, own.Rows)
	if own.Accuracy < l.cfg.MinAccuracy {
		v.State = classifierv1.ModelVersion_STATE_REJECTED
		v.Note += fmt.Sprintf(", below the %.4f that is demanded", l.cfg.MinAccuracy)
	}
	now, err := l.heads.lineup()
	if err != nil {
		l.log.Error("the built-in models cannot be read", "error", err)
	}
	active := now.set.Model(t.head)
	if active == nil {
		return v, nil
	}
	other, err := active.Evaluate(kept)
	if err != nil {
		return nil, err
	}
	v.Baseline, v.BaselineVersion = figures(other), now.versions[t.head]
	v.Note += fmt.Sprintf(", %.4f by the active version %s", other.Accuracy, v.GetBaselineVersion())
	if worse := worseThan(own, other); len(worse) > 0 {
		v.State = classifierv1.ModelVersion_STATE_REJECTED
		v.Note += ": it is worse in " + strings.Join(worse, " and ")
	}
	return v, nil
}

// What a new model may be worse by where a difference is mostly chance.
const (
	mayLoseF1   = 0.005
	mayLoseAPGR = 0.005
	mayErr      = 0.02 // of calibration
)

// worseThan says in what a model is worse than another on the same rows.
func worseThan(own, other *learn.Evaluation) (worse []string) {
	if own.RoutingFigures != nil && other.RoutingFigures != nil {
		if own.APGR < other.APGR-mayLoseAPGR {
			worse = append(worse, fmt.Sprintf("APGR (%.4f, before %.4f)", own.APGR, other.APGR))
		}
	} else {
		if own.Accuracy < other.Accuracy {
			worse = append(worse, fmt.Sprintf("accuracy (%.4f, before %.4f)", own.Accuracy, other.Accuracy))
		}
		if own.MacroF1 < other.MacroF1-mayLoseF1 {
			worse = append(worse, fmt.Sprintf("macro F1 (%.4f, before %.4f)", own.MacroF1, other.MacroF1))
		}
	}
	if own.ECE > other.ECE+mayErr {
		worse = append(worse, fmt.Sprintf("calibration (an error of %.4f, before %.4f)", own.ECE, other.ECE))
	}
	return worse
}

func figures(e *learn.Evaluation) *classifierv1.Evaluation {
	return &classifierv1.Evaluation{Rows: int64(e.Rows), Accuracy: e.Accuracy, MacroF1: e.MacroF1, CalibrationError: e.ECE}
}

// versionOf is a new candidate.
func versionOf(m *learn.Model, origin classifierv1.ModelVersion_Origin, now time.Time) *classifierv1.ModelVersion {
	meta, sum := m.Metadata(), sha256.Sum256(m.Bytes())
	return &classifierv1.ModelVersion{
		Id: ids.At("mdl", now), Head: meta.Head, State: classifierv1.ModelVersion_STATE_CANDIDATE, Origin: origin, Labels: meta.Labels,
		TrainingRows: int64(meta.Training.Rows), SourceDigest: meta.Training.Digest, SizeBytes: int64(len(m.Bytes())),
		FileDigest: hex.EncodeToString(sum[:]), CreateTime: timestamppb.New(now),
	}
}

// split keeps a share of the rows out. A text falls on one side with all its
// repetitions, and on the same side in every training of this seed, however
// many samples have come since.
func split(rows []learn.Row, holdout float64, seed uint64) (train, kept []learn.Row) {
	var salt [8]byte
	binary.LittleEndian.PutUint64(salt[:], seed)
	limit := uint64(holdout * (1 << 32))
	for _, row := range rows {
		h := sha256.New()
		h.Write(salt[:])
		h.Write([]byte(strings.Join(strings.Fields(strings.ToLower(row.Text)), " ")))
		if uint64(binary.LittleEndian.Uint32(h.Sum(nil))) < limit {
			kept = append(kept, row)
		} else {
			train = append(train, row)
		}
	}
	return train, kept
}
