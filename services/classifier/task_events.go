package classifier

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	orchestrationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/orchestration/v1"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// taskCompleted is the type of the event, and taskGroup the group of all
// classifiers of a mesh: each task is one sample, whichever of them takes it.
const (
	taskCompleted = "orchestration.task_completed"
	taskGroup     = "classifier"
)

// consume makes samples of completed tasks until the room closes.
func (l *Learning) consume() {
	err := l.tasks.Subscribe(l.life, events.Subscription{
		Group: taskGroup, Subjects: []string{taskCompleted}, Start: events.Start{Earliest: true},
	}, l.learnFrom)
	if err != nil && l.life.Err() == nil {
		l.log.Error("completed tasks are not learned from", "error", err)
	}
}

// learnFrom stores one task as one sample of its type. A task that was stored
// already is passed over: events come at least once.
func (l *Learning) learnFrom(ctx context.Context, event *events.Event) error {
	task := &orchestrationv1.TaskCompleted{}
	if err := event.GetPayload().UnmarshalTo(task); err != nil {
		return events.Reject(err)
	}
	text := strings.TrimSpace(task.GetDescription())
	switch n := utf8.RuneCountInString(text); {
	case task.GetTaskId() == "":
		return events.Reject(errors.New("task_id is empty"))
	case strings.IndexByte(task.GetTaskId()+text, 0) >= 0:
		return events.Reject(errors.New("task_id and description must not hold U+0000"))
	case n < minText:
		return events.Reject(fmt.Errorf("description must have at least %d characters, has %d", minText, n))
	case n > maxText:
		text = string([]rune(text)[:maxText])
	}
	if taskTypes[task.GetType()] == 0 {
		return events.Reject(fmt.Errorf("type %q is none of the labels", task.GetType()))
	}
	now := l.now()
	added, err := l.store.AddSamples(ctx, []*store.Sample{{Owner: event.GetOwner(), TrainingSample: &classifierv1.TrainingSample{
		Id: ids.At("smp", now), Head: headTaskType, Text: text, Label: task.GetType(), Origin: classifierv1.SampleOrigin_SAMPLE_ORIGIN_TASK,
		SourceId: "task:" + task.GetTaskId(), CreateTime: timestamppb.New(now),
	}}})
	if added > 0 {
		l.metrics.samples.WithLabelValues(headTaskType, "task").Inc()
	}
	return err
}
