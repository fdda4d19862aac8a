package corpus_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gptmesh/gptmesh/services/classifier/corpus"
	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

func TestHeads(t *testing.T) {
	t.Parallel()
	heads, err := corpus.Heads()
	if err != nil {
		t.Fatal(err)
	}
	again, err := corpus.Heads()
	if err != nil || cmp.Diff(heads, again) != "" {
		t.Errorf("two calls gave different rows, or %v", err)
	}
	slot := regexp.MustCompile(`\{(thing|part|lang|tool|lib|symptom|when|ability|scope|ignore|orders|goal|reveal|evil|persona|attack|id|id2|Id)\}`)
	for _, h := range heads {
		trained := map[string]bool{}
		for _, r := range h.Train {
			trained[r.Text] = true
		}
		var both int
		for _, r := range slices.Concat(h.Train, h.Kept) {
			if m := slot.FindString(r.Text); m != "" && !strings.Contains(r.Text, "$") && !strings.Contains(r.Text, "f\"") {
				t.Errorf("%s: %s is left in %q", h.Name, m, r.Text)
			}
			if strings.TrimSpace(r.Text) == "" {
				t.Errorf("%s: an empty text", h.Name)
			}
		}
		for _, r := range h.Kept {
			if trained[r.Text] {
				both++
			}
		}
		if both > 0 {
			t.Errorf("%s: %d of %d kept texts are in the training part", h.Name, both, len(h.Kept))
		}
		if d := cmp.Diff(labels(h.Train), labels(h.Kept)); d != "" {
			t.Errorf("%s: labels (-train +kept):\n%s", h.Name, d)
		}
		t.Logf("%s: %d and %d rows, %d labels", h.Name, len(h.Train), len(h.Kept), len(labels(h.Train)))
	}
	if _, err := corpus.Rows("nothing"); err == nil {
		t.Error("an unknown head: no error")
	}
}

// labels are those of rows, sorted.
func labels(rows []learn.Row) []string {
	var out []string
	for i := range rows {
		out = append(out, rows[i].Label)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
