package learn_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

func TestTrainLearnsLabels(t *testing.T) {
	t.Parallel()
	m := train(t, labelled(1, 300, 0.1), learn.TrainConfig{Head: "kind", Seed: 1})
	e := evaluate(t, m, labelled(2, 300, 0))
	if e.Accuracy < 0.9 || e.MacroF1 < 0.9 {
		t.Errorf("accuracy %.3f, macro F1 %.3f on rows it did not see", e.Accuracy, e.MacroF1)
	}
	p := m.Classify(learn.Document{Title: "panic: segfault and traceback", Text: "error exception crash"})
	if p.Head != "kind" || p.Label != "bug" || p.Confidence < 0.5 {
		t.Errorf("prediction %+v, want bug", p)
	}
	var sum float64
	for _, v := range m.Probabilities(learn.Document{Text: "how can i add an option"}, nil) {
		sum += v
	}
	if sum < 0.9999 || sum > 1.0001 {
		t.Errorf("the probabilities add up to %v", sum)
	}
}

func TestTrainIsDeterministic(t *testing.T) {
	t.Parallel()
	rows := labelled(1, 150, 0.1, "a", "b")
	one := train(t, rows, learn.TrainConfig{Seed: 7})
	again := train(t, rows, learn.TrainConfig{Seed: 7})
	if !bytes.Equal(one.Bytes(), again.Bytes()) {
		t.Error("the same rows and seed gave other bytes")
	}
	turned := slices.Clone(rows)
	slices.Reverse(turned)
	if !bytes.Equal(one.Bytes(), train(t, turned, learn.TrainConfig{Seed: 7}).Bytes()) {
		t.Error("the order of the rows changed the model")
	}
	if bytes.Equal(one.Bytes(), train(t, rows, learn.TrainConfig{Seed: 8}).Bytes()) {
		t.Error("another seed gave the same bytes")
	}
}

func TestTrainCalibrates(t *testing.T) {
	t.Parallel()
	m := train(t, labelled(3, 600, 0.7), learn.TrainConfig{Seed: 1})
	v := m.Metadata().Validation
	if v.ECE >= v.ECEBefore {
		t.Errorf("calibration error %.4f before, %.4f after", v.ECEBefore, v.ECE)
	}
	if e := evaluate(t, m, labelled(4, 900, 0.7)); e.ECE > 0.1 {
		t.Errorf("calibration error %.4f on rows it did not see", e.ECE)
	}
}

func TestGroupsKeepFeaturesOfTheirOwn(t *testing.T) {
	t.Parallel()
	// What "widget" means depends on the group.
	var rows []learn.Row
	for i, r := range labelled(5, 600, 0, "left", "right") {
		if r.Label == "question" {
			continue
		}
		r.Title, r.Text = "", strings.Repeat("some plain words stand here for the length of it ", 5)
		if (r.Label == "bug") == (r.Group == "left") {
			r.Text += "widget"
		} else {
			r.Text += "gadget"
		}
		if i%2 == 0 {
			r.Text += " today"
		}
		rows = append(rows, r)
	}
	m := train(t, rows, learn.TrainConfig{Seed: 1})
	text := rows[0].Text[:len(rows[0].Text)-len("widget today")] + "widget"
	left := m.Classify(learn.Document{Text: text, Group: "left"})
	right := m.Classify(learn.Document{Text: text, Group: "right"})
	if left.Label != "bug" || right.Label != "feature" || !left.KnownGroup {
		t.Errorf("left %+v, right %+v: want bug and feature", left, right)
	}
	other := m.Classify(learn.Document{Text: text, Group: "never seen"})
	if other.KnownGroup || other.Confidence > 0.8 {
		t.Errorf("unknown group: %+v, want the shared features' doubt", other)
	}
	if e := evaluate(t, m, rows); e.MacroF1ByGroupMean == nil || *e.MacroF1ByGroupMean < 0.95 {
		t.Errorf("mean macro F1 by group %v", e.MacroF1ByGroupMean)
	}
}

// TestUnknownGroups: with three groups or more a text of a fourth is judged by
// how it begins, not by what the groups' templates have further down.
func TestUnknownGroups(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("some plain words stand here for the length of it ", 12)
	rows := func(seed uint64, groups ...string) []learn.Row {
		out := labelled(seed, 400, 0.1, groups...)
		for i := range out {
			// The template tells the label, in each group by other words, and
			// in the fourth by the words that mean the opposite elsewhere.
			word := out[i].Label
			if out[i].Group == "d" {
				word = map[string]string{"bug": "feature", "feature": "question", "question": "bug"}[word]
			}
			out[i].Text += "\n" + long + "\n\nkind of template " + word
		}
		return out
	}
	m := train(t, rows(1, "a", "b", "c"), learn.TrainConfig{Seed: 1})
	meta := m.Metadata()
	if len(meta.Features.Views) == 0 || meta.Validation.UnknownGroups == nil || meta.Validation.UnknownGroups.Groups != 3 {
		t.Fatalf("views %v, validation %+v", meta.Features.Views, meta.Validation.UnknownGroups)
	}
	if e := evaluate(t, m, rows(2, "d")); e.Accuracy < 0.8 {
		t.Errorf("accuracy %.3f on a group it never saw", e.Accuracy)
	}
	if e := evaluate(t, m, rows(3, "a", "b", "c")); e.Accuracy < 0.9 {
		t.Errorf("accuracy %.3f on groups it knows", e.Accuracy)
	}
	d := rows(2, "d")[0].Document
	evidence := m.Evidence(d, 3)
	if len(evidence) != 3 || evidence[0].Feature == "" {
		t.Errorf("evidence for an unknown group: %+v", evidence)
	}
	again, err := learn.Load(m.Bytes())
	if err != nil || again.Classify(d) != m.Classify(d) {
		t.Errorf("the loaded model judges otherwise: %v", err)
	}
}

func TestManyLabelsAndOutOfScope(t *testing.T) {
	t.Parallel()
	m := train(t, intents(1, 60, 12), learn.TrainConfig{Seed: 1})
	meta := m.Metadata()
	if meta.OutOfScope != "oos" || meta.Training.Outputs != "independent" {
		t.Errorf("out of scope %q, outputs %q", meta.OutOfScope, meta.Training.Outputs)
	}
	e := evaluate(t, m, intents(2, 60, 4))
	if e.OutOfScope == nil || e.OutOfScope.InScopeAccuracy < 0.9 || e.OutOfScope.OOSRecall < 0.7 {
		t.Errorf("out of scope: %+v", e.OutOfScope)
	}
}

func TestPruningKeepsWhatMatters(t *testing.T) {
	t.Parallel()
	rows, dev := intents(1, 20, 12), intents(2, 20, 8)
	large := train(t, rows, learn.TrainConfig{Seed: 1})
	whole := evaluate(t, large, dev)
	small := train(t, rows, learn.TrainConfig{Seed: 1, MaxBytes: 16 << 10})
	if n := len(small.Bytes()); n > len(large.Bytes())/2 {
		t.Errorf("%d bytes with weights of at most 16 KB, %d without a bound", n, len(large.Bytes()))
	}
	if got := evaluate(t, small, dev); got.Accuracy < whole.Accuracy-0.03 {
		t.Errorf("accuracy %.3f, whole %.3f", got.Accuracy, whole.Accuracy)
	}
}

func TestRoutingLearnsTheGap(t *testing.T) {
	t.Parallel()
	m := train(t, routed(1, 600), learn.TrainConfig{Head: "route", Seed: 1})
	if m.Metadata().Kind != learn.KindRouting {
		t.Fatalf("kind %q", m.Metadata().Kind)
	}
	e := evaluate(t, m, routed(2, 600))
	if e.APGR < 0.65 || e.APGR <= e.LengthOnly.APGR {
		t.Errorf("APGR %.3f, length alone %.3f", e.APGR, e.LengthOnly.APGR)
	}
	hard := m.Classify(learn.Document{Text: "prove the theorem with the integral and the eigenvalue in the project"})
	easy := m.Classify(learn.Document{Text: "update the file in the project after the build of the module"})
	if hard.Need <= easy.Need || hard.Weak >= easy.Weak {
		t.Errorf("hard %+v, easy %+v", hard, easy)
	}
}

func TestTrainRefuses(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	one := labelled(1, 60, 0)
	for i := range one {
		one[i].Label = "bug"
	}
	if _, err := learn.Train(ctx, one, learn.TrainConfig{Head: "h"}); !errors.Is(err, learn.ErrTooFew) {
		t.Errorf("one label: %v", err)
	}
	if _, err := learn.Train(ctx, labelled(1, 9, 0), learn.TrainConfig{Head: "h"}); !errors.Is(err, learn.ErrTooFew) {
		t.Errorf("nine rows: %v", err)
	}
	if _, err := learn.Train(ctx, labelled(1, 60, 0), learn.TrainConfig{}); err == nil {
		t.Error("no head: no error")
	}
	if _, err := learn.Train(ctx, labelled(1, 60, 0), learn.TrainConfig{Head: "h", TargetAccuracy: 2}); err == nil {
		t.Error("target accuracy 2: no error")
	}
	far := routed(1, 40)
	far[3].Weak = 7
	if _, err := learn.Train(ctx, far, learn.TrainConfig{Head: "h"}); err == nil {
		t.Error("weak 7: no error")
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := learn.Train(done, labelled(1, 60, 0), learn.TrainConfig{Head: "h"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestCalibrateOnOtherRows(t *testing.T) {
	t.Parallel()
	m := train(t, labelled(1, 300, 0), learn.TrainConfig{Seed: 1})
	noisy := labelled(9, 600, 0.5)
	n, err := m.Calibrate(noisy, 0.8)
	if err != nil {
		t.Fatal(err)
	}
	before, after := evaluate(t, m, noisy), evaluate(t, n, noisy)
	if after.ECE >= before.ECE {
		t.Errorf("calibration error %.4f before, %.4f after", before.ECE, after.ECE)
	}
	if after.Accuracy != before.Accuracy {
		t.Errorf("accuracy %.4f before, %.4f after: calibration must not change labels", before.Accuracy, after.Accuracy)
	}
	if _, err := m.Calibrate(routed(1, 40), 0); !errors.Is(err, learn.ErrKind) {
		t.Errorf("rows of the other kind: %v", err)
	}
}
