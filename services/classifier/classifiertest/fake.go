// Package classifiertest is the classifier room for the tests of other rooms:
// the room itself, whose rules need nothing, with answers and failures that a
// test can set.
//
//	fake := classifiertest.New(t)
//	labels := classifierv1.LocalClassifierService(fake, nil)
package classifiertest

import (
	"context"
	"sync"
	"testing"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/services/classifier"
	"google.golang.org/protobuf/proto"
)

// Fake is a classifier room. It is safe for concurrent use.
type Fake struct {
	*classifier.Service

	mu      sync.Mutex
	answers map[string]*classifierv1.Classification
	faults  []error
	asked   []*classifierv1.ClassifyRequest
}

var _ classifierv1.ClassifierServiceServer = (*Fake)(nil)

// New returns a room that answers by the rules.
func New(t testing.TB) *Fake {
	t.Helper()
	room, err := classifier.New(classifier.DefaultConfig(), classifier.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	return &Fake{Service: room, answers: map[string]*classifierv1.Classification{}}
}

// Answer makes Classify give this label for this text.
func (f *Fake) Answer(text string, label *classifierv1.Classification) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[text] = proto.CloneOf(label)
}

// Fail makes the next Classify fail with err. Given several times, it makes as
// many fail, in that order.
func (f *Fake) Fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, err)
}

// Asked returns what Classify was asked, in order.
func (f *Fake) Asked() []*classifierv1.ClassifyRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]*classifierv1.ClassifyRequest, len(f.asked))
	for i, req := range f.asked {
		list[i] = proto.CloneOf(req)
	}
	return list
}

// Classify implements the contract with the answers and failures set.
func (f *Fake) Classify(ctx context.Context, req *classifierv1.ClassifyRequest) (*classifierv1.ClassifyResponse, error) {
	f.mu.Lock()
	f.asked = append(f.asked, proto.CloneOf(req))
	if len(f.faults) > 0 {
		err := f.faults[0]
		f.faults = f.faults[1:]
		f.mu.Unlock()
		return nil, err
	}
	label := f.answers[req.GetText()]
	f.mu.Unlock()
	if label != nil {
		return &classifierv1.ClassifyResponse{Classification: proto.CloneOf(label)}, nil
	}
	return f.Service.Classify(ctx, req)
}
