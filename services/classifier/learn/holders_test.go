package learn_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// A set says what its models say alone, whatever it passes over.
func TestSetSaysWhatItsModelsSay(t *testing.T) {
	t.Parallel()
	models := []*learn.Model{
		train(t, labelled(1, 400, 0.1, "a", "b"), learn.TrainConfig{Head: "issue", Seed: 1}),
		train(t, intents(1, 60, 8), learn.TrainConfig{Head: "intent", Seed: 1}),
		train(t, routed(1, 300), learn.TrainConfig{Head: "route", Seed: 1}),
		train(t, labelled(2, 200, 0.3), learn.TrainConfig{Head: "complexity", Seed: 1}),
	}
	set, err := learn.NewSet(models...)
	if err != nil {
		t.Fatal(err)
	}
	var docs []learn.Document
	for _, r := range slices.Concat(labelled(9, 60, 0.1, "a", "c"), intents(9, 60, 2), routed(9, 60)) {
		docs = append(docs, r.Document)
	}
	for i, d := range docs {
		for j, p := range set.Classify(d, nil) {
			if alone := models[j].Classify(d); fmt.Sprint(p) != fmt.Sprint(alone) {
				t.Errorf("text %d: the set says %+v, the model %+v", i, p, alone)
			}
		}
	}
}
