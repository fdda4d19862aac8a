package classifier

import (
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

func TestWorseThan(t *testing.T) {
	t.Parallel()
	label := func(accuracy, f1, ece float64) *learn.Evaluation {
		return &learn.Evaluation{Accuracy: accuracy, MacroF1: f1, ECE: ece}
	}
	router := func(apgr, ece float64) *learn.Evaluation {
		return &learn.Evaluation{ECE: ece, RoutingFigures: &learn.RoutingFigures{APGR: apgr}}
	}
	for name, c := range map[string]struct {
		own, other *learn.Evaluation
		want       string
	}{
		"equal":              {label(0.9, 0.9, 0.05), label(0.9, 0.9, 0.05), ""},
		"better":             {label(0.92, 0.91, 0.03), label(0.9, 0.9, 0.05), ""},
		"chance":             {label(0.9, 0.897, 0.06), label(0.9, 0.9, 0.05), ""},
		"less accurate":      {label(0.89, 0.9, 0.05), label(0.9, 0.9, 0.05), "accuracy"},
		"rare labels lost":   {label(0.91, 0.8, 0.05), label(0.9, 0.9, 0.05), "macro F1"},
		"too sure":           {label(0.91, 0.9, 0.12), label(0.9, 0.9, 0.05), "calibration"},
		"everything":         {label(0.8, 0.7, 0.2), label(0.9, 0.9, 0.05), "accuracy macro F1 calibration"},
		"a router, equal":    {router(0.65, 0.05), router(0.65, 0.05), ""},
		"a router, worse":    {router(0.6, 0.05), router(0.65, 0.05), "APGR"},
		"a router, too sure": {router(0.7, 0.2), router(0.65, 0.05), "calibration"},
	} {
		got := worseThan(c.own, c.other)
		var words []string
		for _, w := range got {
			word, _, _ := strings.Cut(w, " (")
			words = append(words, word)
		}
		if strings.Join(words, " ") != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
