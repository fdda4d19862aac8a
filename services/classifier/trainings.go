package classifier

import (
	"context"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/page"
)

// The sizes of pages.
const (
	standardPage = 50
	largestPage  = 1000
)

// GetTraining returns a run; see the contract.
func (l *Learning) GetTraining(ctx context.Context, req *classifierv1.GetTrainingRequest) (*classifierv1.GetTrainingResponse, error) {
	t, err := l.store.Training(ctx, req.GetTrainingId())
	if err != nil {
		return nil, storeFault(err, noTraining(req.GetTrainingId()))
	}
	l.present(t)
	return &classifierv1.GetTrainingResponse{Training: t}, nil
}

// present says what a run of this process does now.
func (l *Learning) present(t *classifierv1.Training) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.GetState() != classifierv1.Training_STATE_RUNNING || l.training == nil || l.training.row.GetId() != t.GetId() {
		return
	}
	if m := l.training.message.Load(); m != nil {
		t.Message = *m
	}
}

// ListTrainings lists runs; see the contract.
func (l *Learning) ListTrainings(ctx context.Context, req *classifierv1.ListTrainingsRequest) (*classifierv1.ListTrainingsResponse, error) {
	if err := fault.CheckTexts("head", req.GetHead()); err != nil {
		return nil, err
	}
	filter := "trainings " + req.GetHead()
	before, err := page.Cursor(filter, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	size := page.Size(req.GetPageSize(), standardPage, largestPage)
	list, err := l.store.ListTrainings(ctx, req.GetHead(), before, size+1)
	if err != nil {
		return nil, storeFault(err, nil)
	}
	resp := &classifierv1.ListTrainingsResponse{Trainings: list}
	if len(list) > size {
		resp.Trainings = list[:size]
		resp.NextPageToken = page.Token(filter, list[size-1].GetId())
	}
	for _, t := range resp.GetTrainings() {
		l.present(t)
	}
	return resp, nil
}

// CancelTraining stops a run; see the contract. One of another process ends
// with its next sign of life.
func (l *Learning) CancelTraining(ctx context.Context, req *classifierv1.CancelTrainingRequest) (*classifierv1.CancelTrainingResponse, error) {
	if err := l.store.AskCancel(ctx, req.GetTrainingId()); err != nil {
		return nil, storeFault(err, noTraining(req.GetTrainingId()))
	}
	l.mu.Lock()
	if l.training != nil && l.training.row.GetId() == req.GetTrainingId() {
		l.training.cancel(errCancelTraining)
	}
	l.mu.Unlock()
	t, err := l.store.Training(ctx, req.GetTrainingId())
	if err != nil {
		return nil, storeFault(err, noTraining(req.GetTrainingId()))
	}
	return &classifierv1.CancelTrainingResponse{Training: t}, nil
}
