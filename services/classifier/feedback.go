package classifier

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// goodQuality is the quality from which a predicted label counts as confirmed.
const goodQuality = 0.7

// RecordFeedback keeps feedback; see the contract.
func (l *Learning) RecordFeedback(ctx context.Context, req *classifierv1.RecordFeedbackRequest) (*classifierv1.RecordFeedbackResponse, error) {
	f, err := feedbackOf(req)
	if err != nil {
		return nil, err
	}
	now := l.now()
	f.Owner, f.CreateTime = callctx.Owner(ctx), timestamppb.New(now)
	if f.Id == "" {
		f.Id = ids.At("fbk", now)
	}
	var sample *store.Sample
	if f.GetLabel() != "" {
		sample = &store.Sample{Owner: f.GetOwner(), TrainingSample: &classifierv1.TrainingSample{
			Id: ids.At("smp", now), Head: f.GetHead(), Text: f.GetText(), Group: f.GetGroup(), Label: f.GetLabel(),
			Origin: classifierv1.SampleOrigin_SAMPLE_ORIGIN_FEEDBACK, SourceId: "feedback:" + f.GetOwner() + ":" + f.GetId(), CreateTime: f.GetCreateTime(),
		}}
		f.SampleId = sample.GetId()
	}
	err = l.store.AddFeedback(outbox.With(ctx, l.received(ctx, f)), f, sample, l.mostHeads(f.GetHead()))
	if errors.Is(err, store.ErrExists) {
		return l.again(ctx, f)
	}
	if err != nil {
		return nil, l.storeFault(err)
	}
	l.metrics.feedback.WithLabelValues(headName(f.GetHead())).Inc()
	if sample != nil {
		l.metrics.samples.WithLabelValues(headName(f.GetHead()), "feedback").Inc()
	}
	return &classifierv1.RecordFeedbackResponse{Feedback: f}, nil
}

// received is the record of what is told of feedback.
func (l *Learning) received(ctx context.Context, f *classifierv1.Feedback) []byte {
	key := f.GetRequestId()
	if key == "" {
		key = f.GetId()
	}
	return l.events.Record(ctx, events.Draft{
		Type: "classifier.feedback_received", Owner: f.GetOwner(), Key: key, Time: f.GetCreateTime().AsTime(),
		Payload: &classifierv1.FeedbackReceived{
			FeedbackId: f.GetId(), Head: f.GetHead(), Label: f.GetLabel(), Predicted: f.GetPredicted(), Source: "user",
		},
	})
}

// again answers feedback whose id is taken: with what is stored where that says
// the same.
func (l *Learning) again(ctx context.Context, f *classifierv1.Feedback) (*classifierv1.RecordFeedbackResponse, error) {
	stored, err := l.store.Feedback(ctx, f.GetOwner(), f.GetId())
	if err != nil {
		return nil, storeFault(err, nil)
	}
	f.CreateTime, f.SampleId = stored.GetCreateTime(), stored.GetSampleId()
	if !proto.Equal(f, stored) {
		return nil, fault.New(codes.AlreadyExists, meshv1.ErrorReason_ERROR_REASON_ALREADY_EXISTS,
			"feedback_id: there is other feedback of this id", "id", f.GetId())
	}
	return &classifierv1.RecordFeedbackResponse{Feedback: stored}, nil
}

// feedbackOf checks feedback and says what label it gives.
func feedbackOf(req *classifierv1.RecordFeedbackRequest) (*classifierv1.Feedback, error) {
	head := req.GetHead()
	if head == "" {
		head = headTaskType
	}
	if n := utf8.RuneCountInString(req.GetText()); n < minText || n > maxText {
		return nil, fault.InvalidField("text", fmt.Sprintf("must have %d to %d characters, has %d", minText, maxText, n))
	}
	if head == headRoute {
		return nil, fault.InvalidField("head", "route learns from how models answered, not from labels")
	}
	for _, text := range []struct{ field, value string }{
		{"feedback_id", req.GetFeedbackId()}, {"head", head}, {"text", req.GetText()}, {"group", req.GetGroup()},
		{"label", req.GetLabel()}, {"predicted", req.GetPredicted()},
	} {
		if strings.IndexByte(text.value, 0) >= 0 { // not every store keeps it in a text
			return nil, fault.InvalidField(text.field, "must not hold U+0000")
		}
	}
	for _, label := range []struct{ field, value string }{{"label", req.GetLabel()}, {"predicted", req.GetPredicted()}} {
		if label.value != "" && !labelFits(head, label.value) {
			return nil, fault.InvalidField(label.field, fmt.Sprintf("%q is no label of the head %s", label.value, head))
		}
	}
	label := req.GetLabel()
	if label == "" {
		switch good, said := outcomeOf(req); {
		case !said:
			return nil, fault.InvalidField("label", "one of label, helpful and quality must be set")
		case req.GetPredicted() == "":
			return nil, fault.InvalidField("predicted", "must be set where label is not")
		case good:
			label = req.GetPredicted()
		}
	}
	return &classifierv1.Feedback{
		Id: req.GetFeedbackId(), Head: head, Text: req.GetText(), Group: req.GetGroup(), Predicted: req.GetPredicted(), Label: label,
		RequestId: req.GetRequestId(), Helpful: req.Helpful, Quality: req.Quality, Comment: req.GetComment(),
	}, nil
}

// outcomeOf says whether feedback without a label confirms the predicted one.
// Where helpful and quality disagree it does not.
func outcomeOf(req *classifierv1.RecordFeedbackRequest) (good, said bool) {
	good = true
	if req.Helpful != nil {
		good, said = req.GetHelpful(), true
	}
	if req.Quality != nil {
		good, said = good && req.GetQuality() >= goodQuality, true
	}
	return good && said, said
}

// labelFits says whether a head can have a label. Heads that the mesh does not
// act on may have any.
func labelFits(head, label string) bool {
	switch head {
	case headTaskType:
		return taskTypes[label] != 0
	case headComplexity:
		return complexities[label] != 0
	case headTools, headVision, headLongContext, headReasoning:
		return label == positive || label == "no"
	case headInjection, headJailbreak:
		return label == head || label == "benign"
	}
	return true
}
