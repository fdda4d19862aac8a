package rules

import (
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
)

func typeName(is classifierv1.TaskType) string {
	for _, t := range types {
		if t.is == is {
			return t.name
		}
	}
	return is.String()
}

// TestGolden holds the rules to a table of descriptions, written by hand.
func TestGolden(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/golden.tsv")
	if err != nil {
		t.Fatal(err)
	}
	c, count := New(), 0
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		row := strings.SplitN(line, "\t", 4)
		if len(row) != 4 {
			t.Fatalf("%q", line)
		}
		confidence, err := strconv.ParseFloat(row[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		count++
		v := c.Classify(row[3])
		if typeName(v.Type) != row[0] || complexityName(v.Complexity) != row[1] || v.Confidence != confidence {
			t.Errorf("%q: got %s %s %v (%s), want %s %s %v", row[3],
				typeName(v.Type), complexityName(v.Complexity), v.Confidence, v.Reason, row[0], row[1], confidence)
		}
	}
	if count < 60 {
		t.Errorf("the table has %d descriptions", count)
	}
}

func TestReasonAndEvidence(t *testing.T) {
	t.Parallel()
	type entry struct {
		feature, label string
		weight         float64
	}
	for _, c := range []struct {
		text, reason string
		evidence     []entry
	}{
		{"Deploy after you FIX the crash, a quick one", "bug_fix: 2 of 3 matched words (fix, crash); simple: quick",
			[]entry{{"fix", "bug_fix", 1}, {"crash", "bug_fix", 1}, {"deploy", "deployment", 1}, {"quick", "simple", 1}}},
		{"rewrite the unit tests", "test: 2 of 3 matched words (tests, unit tests); complex: rewrite",
			[]entry{{"tests", "test", 1}, {"unit tests", "test", 1}, {"rewrite", "refactor", 1}, {"rewrite", "complex", 1}}},
		{"good morning everyone", "feature: no word of any type matched; simple: 3 words",
			[]entry{{"3 words", "simple", 0.5}}},
		{"a trivial but major matter", "feature: no word of any type matched; complex: major",
			[]entry{{"major", "complex", 1}}},
	} {
		v := New().Classify(c.text)
		var got []entry
		for _, e := range v.Evidence {
			got = append(got, entry{e.GetFeature(), e.GetLabel(), e.GetWeight()})
		}
		if diff := cmp.Diff(c.evidence, got, cmp.AllowUnexported(entry{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.text, diff)
		}
		if v.Reason != c.reason {
			t.Errorf("%q: reason %q, want %q", c.text, v.Reason, c.reason)
		}
	}
}

// TestTables holds the tables to what the scanner relies on.
func TestTables(t *testing.T) {
	t.Parallel()
	v := newVocabulary()
	check := func(m *match) {
		if m.form != strings.ToLower(m.form) {
			t.Errorf("%q is not in lower case", m.form)
		}
		if bits.OnesCount64(m.bits.types) > 1 {
			t.Errorf("%q speaks for two patterns", m.form)
		}
		if m.bits == (set{}) {
			t.Errorf("%q speaks for nothing", m.form)
		}
	}
	for text, w := range v.words {
		if w.alone != nil {
			check(w.alone)
		}
		for _, p := range w.after {
			check(p.match)
		}
		if strings.ContainsAny(text, " -") || len(text) >= maxWord {
			t.Errorf("%q is not one word", text)
		}
	}
	if n := len(types)*patternsPerType + len(complexWords) + len(simpleWords); n > maxMatches {
		t.Errorf("%d patterns, room for %d", n, maxMatches)
	}
	for _, group := range types {
		for p, forms := range group.patterns {
			if len(forms) == 0 {
				t.Errorf("%s has no pattern %d", group.name, p)
			}
			for _, form := range forms {
				if got := New().Classify("xx " + form + " xx"); got.Type != group.is {
					t.Errorf("%q gives %s, want %s", form, typeName(got.Type), group.name)
				}
			}
		}
	}
}

func FuzzClassify(f *testing.F) {
	f.Add("Fix the unit\ttests")
	f.Add("one-line \xff\xfe -- \u00a0 large-scale")
	f.Add(strings.Repeat("refactor all ", 100))
	c := New()
	f.Fuzz(func(t *testing.T, text string) {
		v := c.Classify(text)
		if v.Confidence < 0.3 || v.Confidence > 0.95 && v.Confidence != oneTypeConfidence {
			t.Errorf("confidence %v", v.Confidence)
		}
		if v.Type == 0 || v.Complexity == 0 || v.Reason == "" || len(v.Evidence) == 0 {
			t.Errorf("%+v", v)
		}
		var s scan
		c.words.scan(text, &s)
		if want := len(strings.Fields(text)); s.words != want {
			t.Errorf("%d words, want %d", s.words, want)
		}
		for _, m := range s.matches[:s.count] {
			if !strings.Contains(strings.ToLower(text), strings.Fields(strings.ReplaceAll(m.form, "-", " "))[0]) {
				t.Errorf("%q is not in %q", m.form, text)
			}
		}
	})
}

func BenchmarkClassify(b *testing.B) {
	c := New()
	prose := "The import of customer records stops after a few minutes with an error and leaves the job in a state from which it never recovers. "
	for _, size := range []int{50, 500, 10_000} {
		text := strings.Repeat(prose, 1+size/len(prose))[:size]
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				c.Classify(text)
			}
		})
	}
}
