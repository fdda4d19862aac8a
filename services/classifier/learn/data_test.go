package learn_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// dataVariable names the folder of labelled data that TestData measures on:
// the files NAME.jsonl under train and dev.
const dataVariable = "GPTMESH_CLASSIFIER_DATA"

func readRows(t *testing.T, path string) []learn.Row {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := learn.ReadRows(f, filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestData trains every head on the folder's training part and measures it on
// the development part. It reports; the bounds are far below what is expected,
// to catch breakage.
func TestData(t *testing.T) {
	dir := os.Getenv(dataVariable)
	if dir == "" {
		t.Logf("%s is not set: no labelled data to measure on", dataVariable)
		return
	}
	for _, c := range []struct {
		name  string
		least func(*learn.Evaluation) (string, float64, float64)
	}{
		{"issue_type", func(e *learn.Evaluation) (string, float64, float64) {
			return "macro_f1_by_group_mean", *e.MacroF1ByGroupMean, 0.75
		}},
		{"route_mmlu", func(e *learn.Evaluation) (string, float64, float64) { return "apgr", e.APGR, 0.52 }},
		{"code_complexity", func(e *learn.Evaluation) (string, float64, float64) { return "accuracy", e.Accuracy, 0.4 }},
		{"intent150", func(e *learn.Evaluation) (string, float64, float64) {
			return "in_scope_accuracy", e.OutOfScope.InScopeAccuracy, 0.88
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			train := filepath.Join(dir, "train", c.name+".jsonl")
			dev := filepath.Join(dir, "dev", c.name+".jsonl")
			if _, err := os.Stat(train); err != nil {
				t.Logf("looked for %s: not there", train)
				return
			}
			began := time.Now()
			m, err := learn.Train(context.Background(), readRows(t, train), learn.TrainConfig{Head: c.name, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			took := time.Since(began)
			e, err := m.Evaluate(readRows(t, dev))
			if err != nil {
				t.Fatal(err)
			}
			what, got, least := c.least(e)
			v := m.Metadata().Validation
			t.Logf("%s: %s %.4f, accuracy %.4f, ece %.4f (cv %.4f → %.4f), cv accuracy %.4f, %d bytes, trained in %v", c.name, what, got, e.Accuracy, e.ECE, v.ECEBefore, v.ECE, v.Accuracy, len(m.Bytes()), took.Round(time.Millisecond))
			if e.OutOfScope != nil {
				t.Logf("%+v", *e.OutOfScope)
			}
			if e.RoutingFigures != nil {
				t.Logf("%+v, length only %+v, %+v, cv %+v %+v%s", *e.RoutingFigures, *e.LengthOnly, e.Scores, v.Scores, m.Metadata().Calibration.Need, "")
			}
			for _, p := range e.Coverage {
				if p.Coverage == 0.7 {
					t.Logf("at 70 %%: %+v", p)
				}
			}
			if got < least {
				t.Errorf("%s = %.3f, want at least %.3f", what, got, least)
			}
		})
	}
}
