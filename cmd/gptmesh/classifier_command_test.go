package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// classifierRows are labelled rows as JSON Lines, sorted by label as real
// files are.
func classifierRows(n int) string {
	var b strings.Builder
	for _, label := range []string{"bug", "feature"} {
		word := map[string]string{"bug": "crash with an error in", "feature": "please add support for"}[label]
		for i := range n {
			fmt.Fprintf(&b, `{"text":"%s module %d of the project, seen %d times","title":"about part %d","group":"g%d","label":%q,"created_at":"20%02d"}`+"\n", word, i%7, i, i%3, i%2, label, i)
		}
	}
	return b.String()
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func trainedModel(t *testing.T, data string) (path, progress string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "out.model")
	c := classifierTrainCommand{Head: "kind", Data: []string{"-"}, Out: path, Seed: 1, Groups: "auto", TargetAccuracy: 0.9}
	var stderr strings.Builder
	if err := c.run(context.Background(), strings.NewReader(data), &stderr); err != nil {
		t.Fatal(err)
	}
	return path, stderr.String()
}

func TestClassifierTrainAndEvaluate(t *testing.T) {
	t.Parallel()
	model, progress := trainedModel(t, classifierRows(40))
	for _, want := range []string{"cross-validation", "training", "100 %"} {
		if !strings.Contains(progress, want) {
			t.Errorf("the progress lacks %q:\n%s", want, progress)
		}
	}
	svg := filepath.Join(t.TempDir(), "curve.svg")
	c := classifierEvaluateCommand{Model: model, Data: []string{writeFile(t, "dev.jsonl", classifierRows(10))}, JSON: true, Report: svg}
	var out strings.Builder
	if err := c.run(nil, &out); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Rows     *int
		Accuracy *float64
		MacroF1  *float64 `json:"macro_f1"`
		ByGroup  *float64 `json:"macro_f1_by_group_mean"`
		ECE      *float64
		Coverage []struct{ Coverage, Accuracy, Threshold *float64 }
		Classes  []struct {
			Label                 string
			Precision, Recall, F1 *float64
			Support               *int
		}
		Confusion map[string]map[string]int
	}
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if got.Rows == nil || *got.Rows != 20 || got.Accuracy == nil || *got.Accuracy < 0.95 || got.MacroF1 == nil || got.ByGroup == nil || got.ECE == nil ||
		len(got.Coverage) == 0 || got.Coverage[0].Threshold == nil || len(got.Classes) != 2 || got.Classes[0].Support == nil || got.Confusion["bug"]["bug"] != 10 {
		t.Errorf("evaluation:\n%s", out.String())
	}
	if b, err := os.ReadFile(svg); err != nil || !strings.HasPrefix(string(b), "<svg") {
		t.Errorf("the report is no SVG: %v", err)
	}
	out.Reset()
	c.JSON = false
	if err := c.run(nil, &out); err != nil || !strings.Contains(out.String(), "precision") {
		t.Errorf("readable report: %v\n%s", err, out.String())
	}
}

func TestClassifierRoutingFigures(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 60 {
		word, weak := "update the file", 1
		if i%3 == 0 {
			word, weak = "prove the theorem", 0
		}
		fmt.Fprintf(&b, `{"text":"%s number %d","weak":%d,"strong":1}`+"\n", word, i, weak)
	}
	model, _ := trainedModel(t, b.String())
	var out strings.Builder
	c := classifierEvaluateCommand{Model: model, Data: []string{"-"}, JSON: true}
	if err := c.run(strings.NewReader(b.String()), &out); err != nil {
		t.Fatal(err)
	}
	var got struct {
		APGR, CPT50, CPT80 *float64
		LengthOnly         *struct{ APGR, CPT50, CPT80 *float64 } `json:"length_only"`
	}
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if got.APGR == nil || *got.APGR < 0.8 || got.CPT50 == nil || got.CPT80 == nil || got.LengthOnly == nil || got.LengthOnly.APGR == nil {
		t.Errorf("evaluation:\n%s", out.String())
	}
}

func TestClassifierCalibrateExplainExport(t *testing.T) {
	t.Parallel()
	model, _ := trainedModel(t, classifierRows(40))
	calibrated := filepath.Join(t.TempDir(), "calibrated.model")
	var out strings.Builder
	cal := classifierCalibrateCommand{Model: model, Data: []string{"-"}, Out: calibrated}
	if err := cal.run(strings.NewReader(classifierRows(15)), &out); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	ex := classifierExplainCommand{Model: calibrated, Text: "please add support for the module", Limit: 40}
	if err := ex.run(nil, &out); err != nil || !strings.Contains(out.String(), "kind: feature") || !strings.Contains(out.String(), "support") {
		t.Errorf("explain: %v\n%s", err, out.String())
	}
	out.Reset()
	exp := classifierExportCommand{Model: calibrated}
	if err := exp.run(&out); err != nil || !json.Valid([]byte(out.String())) || !strings.Contains(out.String(), `"digest"`) {
		t.Errorf("export: %v\n%s", err, out.String())
	}
}

func TestClassifierRefusals(t *testing.T) {
	t.Parallel()
	bad := classifierRows(20) + `{"text":"no label"}` + "\n"
	train := classifierTrainCommand{Head: "kind", Data: []string{"-"}, Out: filepath.Join(t.TempDir(), "m"), Groups: "auto", TargetAccuracy: 0.9, Quiet: true}
	err := train.run(context.Background(), strings.NewReader(bad), nil)
	if err == nil || !strings.Contains(err.Error(), "stdin:41:") || !strings.Contains(err.Error(), `"label"`) {
		t.Errorf("bad row: %v", err)
	}
	if _, err := os.Stat(train.Out); err == nil {
		t.Error("a model was written in spite of the error")
	}
	eval := classifierEvaluateCommand{Model: writeFile(t, "x.model", "nonsense"), Data: []string{"-"}}
	if err := eval.run(strings.NewReader(classifierRows(3)), &strings.Builder{}); err == nil || !strings.Contains(err.Error(), "x.model") {
		t.Errorf("no model: %v", err)
	}
	model, _ := trainedModel(t, classifierRows(20))
	eval.Model = model
	if err := eval.run(strings.NewReader(`{"text":"a text","label":"something else"}`), &strings.Builder{}); err == nil || !strings.Contains(err.Error(), "knows no label") {
		t.Errorf("other labels: %v", err)
	}
}

func TestClassifierBundle(t *testing.T) {
	t.Parallel()
	one, _ := trainedModel(t, classifierRows(20))
	bundle := filepath.Join(t.TempDir(), "bundle")
	var out strings.Builder
	c := classifierBundleCommand{Models: []string{"default", one}, Out: bundle}
	if err := c.run(&out); err != nil || !strings.Contains(out.String(), "intent") || !strings.Contains(out.String(), "kind") {
		t.Fatalf("bundle: %v\n%s", err, out.String())
	}
	out.Reset()
	ex := classifierExplainCommand{Model: bundle, Head: "kind", Text: "crash with an error in module 3", Limit: 4}
	if err := ex.run(nil, &out); err != nil || !strings.Contains(out.String(), "kind: bug") {
		t.Errorf("explain one of several: %v\n%s", err, out.String())
	}
	ex = classifierExplainCommand{Model: "default", Text: "x"}
	if err := ex.run(nil, &out); err == nil || !strings.Contains(err.Error(), "--head") {
		t.Errorf("several heads and none chosen: %v", err)
	}
}
