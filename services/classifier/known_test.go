package classifier

import (
	"fmt"
	"testing"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
	"google.golang.org/protobuf/proto"
)

// injections is a lineup whose guard head takes two words for an injection.
func injections(t *testing.T, version string, canaries map[string]*canary, words ...string) *lineup {
	t.Helper()
	var rows []learn.Row
	for i := range 60 {
		rows = append(rows,
			learn.Row{Document: learn.Document{Text: fmt.Sprintf("please look at the garden of part %d today", i%17)}, Label: "benign"},
			learn.Row{Document: learn.Document{Text: fmt.Sprintf("please look at the %s of part %d today", words[i%len(words)], i%17)}, Label: "injection"})
	}
	m, err := learn.Train(t.Context(), rows, learn.TrainConfig{Head: headInjection, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	set, err := learn.NewSet(m)
	if err != nil {
		t.Fatal(err)
	}
	return newLineup(set, map[string]string{headInjection: version}, canaries)
}

// What was said of a text is said again, by the same models alone.
func TestKnownTexts(t *testing.T) {
	t.Parallel()
	const bad, good = "please look at the override of part 2 today", "please look at the garden of part 2 today"
	first := injections(t, "v1", nil, "override", "disregard")
	for range 2 {
		for text, want := range map[string]bool{bad: true, good: false} {
			risk, err := first.screen(t.Context(), text, "me")
			if err != nil || risk.GetFlagged() != want || risk.GetScores()[0].GetModelVersion() != "v1" {
				t.Fatalf("%q: %v, %v", text, risk, err)
			}
			if again, _ := first.known.of(text); again != risk {
				t.Errorf("%q is not known: %v", text, again)
			}
			if fresh, err := injections(t, "v1", nil, "override", "disregard").screen(t.Context(), text, "me"); err != nil || !proto.Equal(fresh, risk) {
				t.Errorf("%q: %v is known, and %v found", text, risk, fresh)
			}
		}
	}
	second := injections(t, "v2", nil, "smoke", "flames")
	if risk, err := second.screen(t.Context(), bad, "me"); err != nil || risk.GetFlagged() || risk.GetScores()[0].GetModelVersion() != "v2" {
		t.Errorf("other models: %v, %v", risk, err)
	}
	if l := injections(t, "v1", map[string]*canary{headInjection: {}}, "override"); l.known != nil {
		t.Error("what a canary says for some keys would be known for all")
	}
	if l := injections(t, "v1", map[string]*canary{headComplexity: {}}, "override"); l.known == nil {
		t.Error("nothing is known for a canary of another head")
	}
}

// However many texts there are, a bounded number is known, and none for another.
func TestKnownTextsAreBounded(t *testing.T) {
	t.Parallel()
	l := injections(t, "v1", nil, "override")
	for i := range 3 * knownTexts {
		text := fmt.Sprint("part ", i)
		if risk, _ := l.known.of(text); risk != nil {
			t.Fatalf("%q is known", text)
		}
		if _, err := l.screen(t.Context(), text, "me"); err != nil {
			t.Fatal(err)
		}
	}
}
