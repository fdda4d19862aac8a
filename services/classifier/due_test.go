package classifier_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/classifier"
	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// Enough new samples train a head by themselves, once.
func TestTrainByCount(t *testing.T) {
	t.Parallel()
	room := enrol(t, stores(t)["sqlite"], func(cfg *classifier.Config, _ *classifier.Deps) {
		cfg.Learning.MinSamples, cfg.Learning.NewSamples, cfg.Learning.CheckInterval = 100, 100, 10*time.Millisecond
	})
	room.teach(t, 50, "test", "rockets", "boosters")
	room.teach(t, 49, "refactor", "bells", "whistles")
	list, err := room.ListTrainings(t.Context(), &classifierv1.ListTrainingsRequest{})
	if err != nil || len(list.GetTrainings()) != 0 {
		t.Fatalf("got %v, %v", list, err)
	}
	room.teach(t, 1, "refactor", "bells")
	until(t, "the count trains", func() bool {
		_, version := room.says(t, "please look at the rockets today")
		return version != "built-in:task_type"
	})
	list, err = room.ListTrainings(t.Context(), &classifierv1.ListTrainingsRequest{})
	if err != nil || len(list.GetTrainings()) != 1 || list.GetTrainings()[0].GetTrigger() != "count" {
		t.Errorf("got %v, %v", list, err)
	}
}

// A head of whose samples too few fit in the bound of bytes keeps no other head
// from its training.
func TestOneHeadDoesNotHoldUpAnother(t *testing.T) {
	t.Parallel()
	room := enrol(t, stores(t)["sqlite"], func(cfg *classifier.Config, _ *classifier.Deps) {
		cfg.Learning.MinSamples, cfg.Learning.NewSamples, cfg.Learning.CheckInterval = 100, 100, 10*time.Millisecond
		cfg.Learning.MaxBytes = 100_000
	})
	for i := range 100 { // of a head that is looked at first
		if _, err := room.RecordFeedback(t.Context(), &classifierv1.RecordFeedbackRequest{
			Head: "a-head", Text: fmt.Sprint(i, " ", strings.Repeat("long ", 400)), Label: fmt.Sprint("label", i%2),
		}); err != nil {
			t.Fatal(err)
		}
	}
	room.teach(t, 50, "test", "rockets", "boosters")
	room.teach(t, 50, "refactor", "bells", "whistles")
	until(t, "the other head is trained", func() bool {
		list, err := room.ListTrainings(t.Context(), &classifierv1.ListTrainingsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.GetTrainings()) == 1 && list.GetTrainings()[0].GetHead() == "task_type"
	})
}

// Feedback that denies what the model says trains before the count is reached.
func TestTrainByPrecision(t *testing.T) {
	t.Parallel()
	room := enrol(t, stores(t)["sqlite"], func(cfg *classifier.Config, _ *classifier.Deps) {
		cfg.Learning.MinSamples, cfg.Learning.NewSamples, cfg.Learning.CheckInterval = 100, 0, 10*time.Millisecond
		cfg.Learning.Every = 0
	})
	say := func(n int, predicted func(label string) string) {
		for i := range n {
			word := []string{"rockets", "whistles"}[i%2]
			label := map[string]string{"rockets": "test", "whistles": "refactor"}[word]
			if _, err := room.RecordFeedback(t.Context(), &classifierv1.RecordFeedbackRequest{
				Text: fmt.Sprintf("please look at the %s of part %d today", word, i), Label: label, Predicted: predicted(label),
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	say(110, func(label string) string { return label })
	list, err := room.ListTrainings(t.Context(), &classifierv1.ListTrainingsRequest{})
	if err != nil || len(list.GetTrainings()) != 0 {
		t.Fatalf("got %v, %v", list, err)
	}
	say(12, func(string) string { return "feature" })
	until(t, "wrong predictions train", func() bool {
		list, err = room.ListTrainings(t.Context(), &classifierv1.ListTrainingsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.GetTrainings()) == 1 && list.GetTrainings()[0].GetTrigger() == "precision"
	})
}

// A model of a new head that somebody brings answers beside the others.
func TestImport(t *testing.T) {
	t.Parallel()
	room := enrol(t, stores(t)["sqlite"], nil)
	m, err := learn.Train(t.Context(), rows(map[string][]string{"sunny": {"sun"}, "wet": {"rain"}}, 60), learn.TrainConfig{Head: "weather", Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := room.ImportModelVersion(t.Context(), &classifierv1.ImportModelVersionRequest{File: []byte("no model")}); fault.From(err).Field() != "file" {
		t.Errorf("got %v", err)
	}
	resp, err := room.ImportModelVersion(t.Context(), &classifierv1.ImportModelVersionRequest{File: m.Bytes(), Note: "by hand"})
	if err != nil {
		t.Fatal(err)
	}
	v := resp.GetVersion()
	same(t, []any{v.GetHead(), v.GetState(), v.GetNumber(), v.GetNote(), v.GetTrainingRows()}, []any{"weather", classifierv1.ModelVersion_STATE_CANDIDATE, int64(1), "by hand", int64(120)})
	text := &classifierv1.ClassifyRequest{Text: "please look at the rain of part 2 today", Heads: []string{"weather"}}
	same(t, len(classify(t, room, text).GetLabels()), 0)
	if _, err := room.ActivateModelVersion(t.Context(), &classifierv1.ActivateModelVersionRequest{VersionId: v.GetId()}); err != nil {
		t.Fatal(err)
	}
	same(t, classify(t, room, text).GetLabels()[0].GetLabel(), "wet")
	file, err := room.GetModelVersion(t.Context(), &classifierv1.GetModelVersionRequest{VersionId: v.GetId(), WithFile: true})
	if err != nil || string(file.GetFile()) != string(m.Bytes()) {
		t.Errorf("another file came back, %v", err)
	}
	if _, err := room.RollbackModel(t.Context(), &classifierv1.RollbackModelRequest{Head: "weather"}); reasonOf(err) != meshv1.ErrorReason_ERROR_REASON_NO_PREVIOUS_VERSION {
		t.Errorf("got %v", err)
	}
	if _, err := room.ActivateModelVersion(t.Context(), &classifierv1.ActivateModelVersionRequest{VersionId: "mdl_none"}); reasonOf(err) != meshv1.ErrorReason_ERROR_REASON_MODEL_VERSION_NOT_FOUND {
		t.Errorf("got %v", err)
	}
}
