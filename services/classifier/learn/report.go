package learn

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// WriteReport writes the figures for people.
func WriteReport(w io.Writer, e *Evaluation) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "head %s, model %s, %d rows\n", e.Head, e.Version, e.Rows)
	if e.RoutingFigures != nil {
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "score\tAPGR\tCPT50\tCPT80")
		line := func(name string, f RoutingFigures) {
			fmt.Fprintf(t, "%s\t%.3f\t%.1f %%\t%.1f %%\n", name, f.APGR, f.CPT50*100, f.CPT80*100)
		}
		line("model", *e.RoutingFigures)
		line("length alone", *e.LengthOnly)
		for _, name := range slices.Sorted(maps.Keys(e.Scores)) {
			line("  "+name, e.Scores[name])
		}
		t.Flush()
		fmt.Fprintf(&b, "P(weak right): calibration error %.4f\n", e.ECE)
		_, err := w.Write(b.Bytes())
		return err
	}
	fmt.Fprintf(&b, "accuracy %.4f, macro F1 %.4f, calibration error %.4f\n", e.Accuracy, e.MacroF1, e.ECE)
	if e.MacroF1ByGroupMean != nil {
		fmt.Fprintf(&b, "mean macro F1 of %d groups %.4f\n", len(e.MacroF1ByGroup), *e.MacroF1ByGroupMean)
	}
	if s := e.OutOfScope; s != nil {
		fmt.Fprintf(&b, "in-scope accuracy %.4f; out-of-scope recall %.4f with at least 90 %% right in scope\n", s.InScopeAccuracy, s.OOSRecall)
		fmt.Fprintf(&b, "at the stored threshold: in-scope accuracy %.4f, out-of-scope recall %.4f\n", s.AtStored.InScopeAccuracy, s.AtStored.OOSRecall)
	}
	b.WriteString("\n")
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "label\tprecision\trecall\tF1\trows\t")
	for _, c := range e.Classes {
		fmt.Fprintf(t, "%s\t%.3f\t%.3f\t%.3f\t%d\t\n", c.Label, c.Precision, c.Recall, c.F1, c.Support)
	}
	t.Flush()
	b.WriteString("\n")
	if len(e.Classes) <= 12 {
		writeConfusion(&b, e)
	} else {
		writeConfusions(&b, e)
	}
	b.WriteString("\n")
	t = tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "coverage\taccuracy\tthreshold\t")
	for i, p := range e.Coverage {
		if i%2 == 1 {
			fmt.Fprintf(t, "%.0f %%\t%.3f\t%.3f\t\n", p.Coverage*100, p.Accuracy, p.Threshold)
		}
	}
	t.Flush()
	_, err := w.Write(b.Bytes())
	return err
}

func writeConfusion(b *bytes.Buffer, e *Evaluation) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "right \\ predicted\t")
	for _, c := range e.Classes {
		fmt.Fprintf(t, "%s\t", c.Label)
	}
	fmt.Fprintln(t)
	for _, r := range e.Classes {
		fmt.Fprintf(t, "%s\t", r.Label)
		for _, c := range e.Classes {
			fmt.Fprintf(t, "%d\t", e.Confusion[r.Label][c.Label])
		}
		fmt.Fprintln(t)
	}
	t.Flush()
}

// writeConfusions lists the most frequent mistakes.
func writeConfusions(b *bytes.Buffer, e *Evaluation) {
	type mistake struct {
		right, predicted string
		rows             int
	}
	var all []mistake
	for right, row := range e.Confusion {
		for predicted, n := range row {
			if right != predicted {
				all = append(all, mistake{right, predicted, n})
			}
		}
	}
	slices.SortFunc(all, func(x, y mistake) int {
		return cmp.Or(cmp.Compare(y.rows, x.rows), cmp.Compare(x.right, y.right), cmp.Compare(x.predicted, y.predicted))
	})
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "most frequent mistakes\tpredicted\trows")
	for _, m := range all[:min(15, len(all))] {
		fmt.Fprintf(t, "%s\t%s\t%d\n", m.right, m.predicted, m.rows)
	}
	t.Flush()
}
