package learn_test

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"hash/crc32"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// whole compares all fields of predictions.
var whole = cmp.AllowUnexported(learn.Prediction{})

func TestLoadReadsWhatTrainWrote(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]*learn.Model{
		"label":   train(t, labelled(1, 90, 0.1, "a", "b"), learn.TrainConfig{Seed: 1, Source: "made", Licence: "none"}),
		"many":    train(t, intents(1, 55, 6), learn.TrainConfig{Seed: 1}),
		"routing": train(t, routed(1, 90), learn.TrainConfig{Seed: 1}),
	} {
		again, err := learn.Load(bytes.Clone(m.Bytes()))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(m.Metadata(), again.Metadata()); d != "" {
			t.Errorf("%s: metadata (-trained +loaded):\n%s", name, d)
		}
		d := learn.Document{Title: "add support", Text: "how can i fix the crash in the parser", Group: "a"}
		if d := cmp.Diff(m.Classify(d), again.Classify(d), whole); d != "" {
			t.Errorf("%s: prediction (-trained +loaded):\n%s", name, d)
		}
	}
}

func TestLoadRefusesDamage(t *testing.T) {
	t.Parallel()
	whole := train(t, labelled(1, 60, 0.1), learn.TrainConfig{Seed: 1}).Bytes()
	for _, n := range []int{0, 3, 27, 28, len(whole) / 2, len(whole) - 1} {
		if _, err := learn.Load(whole[:n]); !errors.Is(err, learn.ErrCorrupt) {
			t.Errorf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
	for at := 8; at < len(whole); at += 1 + len(whole)/400 {
		bad := bytes.Clone(whole)
		bad[at] ^= 0x40
		if _, err := learn.Load(bad); !errors.Is(err, learn.ErrCorrupt) {
			t.Errorf("byte %d turned: %v", at, err)
		}
	}
	for _, at := range []int{4, 6} {
		bad := bytes.Clone(whole)
		bad[at]++
		if _, err := learn.Load(bad); !errors.Is(err, learn.ErrVersion) {
			t.Errorf("version at %d: %v", at, err)
		}
	}
}

// FuzzLoad gives Load bytes whose checksum is right, so that everything behind
// it is reached; what loads must classify without a fault.
func FuzzLoad(f *testing.F) {
	f.Add(train(f, labelled(1, 30, 0), learn.TrainConfig{Seed: 1, MaxBytes: 2 << 10}).Bytes())
	f.Add(train(f, intents(1, 52, 3), learn.TrainConfig{Seed: 1, MaxBytes: 2 << 10}).Bytes())
	f.Add(train(f, routed(1, 30), learn.TrainConfig{Seed: 1, MaxBytes: 2 << 10}).Bytes())
	f.Add([]byte("GMLS\x01\x00\x01\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) >= 28 {
			data = bytes.Clone(data)
			binary.LittleEndian.PutUint32(data[24:], crc32.Checksum(data[28:], crc32.MakeTable(crc32.Castagnoli)))
		}
		set, err := learn.LoadSet(data)
		if err != nil {
			return
		}
		d := learn.Document{Title: "add an option", Text: "how can i fix this crash? `x` https://a.b/c 12 prove", Group: "a"}
		set.Classify(d, nil)
		for _, m := range set.Models() {
			m.Explain(d, 5)
		}
	})
}

// FuzzClassify gives the feature pass any text.
func FuzzClassify(f *testing.F) {
	label := train(f, labelled(1, 60, 0, "a"), learn.TrainConfig{Head: "label", Seed: 1})
	route := train(f, routed(1, 60), learn.TrainConfig{Head: "route", Seed: 1})
	set, err := learn.NewSet(label, route)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{
		"", " ", "\x00\xff", "```go\nfunc", "~~~", "### Title\n\n- [x] done\n- [ ] not", "![a](https://x/y.png)", "@someone #12 v1.2.3 0xdeadbeef",
		"用户无法登录。", "İstanbul’s naïve façade", "<!-- c -->", "`", "(((", "a/b/c ./d ~/e \\\\f", "_x_", "**bold**", strings.Repeat("word ", 2000), strings.Repeat("é", 4000),
	} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, title, text string) {
		for _, p := range set.Classify(learn.Document{Title: title, Text: text, Group: "a"}, nil) {
			if !(p.Confidence >= 0 && p.Confidence <= 1) {
				t.Errorf("confidence %v", p.Confidence)
			}
		}
		label.Explain(learn.Document{Title: title, Text: text}, 3)
	})
}

func TestSet(t *testing.T) {
	t.Parallel()
	label := train(t, labelled(1, 90, 0.1), learn.TrainConfig{Head: "label", Seed: 1})
	route := train(t, routed(1, 90), learn.TrainConfig{Head: "route", Seed: 1})
	set, err := learn.NewSet(label, route)
	if err != nil {
		t.Fatal(err)
	}
	again, err := learn.LoadSet(set.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	d := learn.Document{Title: "crash", Text: "why does it panic after the update"}
	want := []learn.Prediction{label.Classify(d), route.Classify(d)}
	if diff := cmp.Diff(want, again.Classify(d, nil), whole); diff != "" {
		t.Errorf("a set says something else than its models (-models +set):\n%s", diff)
	}
	if again.Model("route") == nil || again.Model("other") != nil {
		t.Error("Model does not find heads by name")
	}
	if _, err := learn.NewSet(label, label); err == nil {
		t.Error("two models of one head: no error")
	}
	for n := range len(set.Bytes()) / 997 {
		if _, err := learn.LoadSet(set.Bytes()[:n*997]); err == nil {
			t.Errorf("%d bytes of a set: no error", n*997)
		}
	}
}

func TestClassifyConcurrentlyWithoutAllocating(t *testing.T) {
	label := train(t, labelled(1, 90, 0.1, "a", "b"), learn.TrainConfig{Head: "label", Seed: 1})
	route := train(t, routed(1, 90), learn.TrainConfig{Head: "route", Seed: 1})
	set, err := learn.NewSet(label, route)
	if err != nil {
		t.Fatal(err)
	}
	docs := labelled(5, 60, 0, "a", "c")
	var want []learn.Prediction
	for _, r := range docs {
		want = set.Classify(r.Document, want)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var got []learn.Prediction
			for _, r := range docs {
				got = set.Classify(r.Document, got)
			}
			if d := cmp.Diff(want, got, whole); d != "" {
				t.Errorf("concurrent use changed predictions:\n%s", d)
			}
		})
	}
	wg.Wait()
	dst := make([]learn.Prediction, 0, 2)
	if n := testing.AllocsPerRun(200, func() { dst = set.Classify(docs[0].Document, dst[:0]) }); n > 0.5 && !raceEnabled {
		t.Errorf("%v allocations a call", n)
	}
}

func TestExplainNamesTheWords(t *testing.T) {
	t.Parallel()
	m := train(t, labelled(1, 300, 0.05), learn.TrainConfig{Seed: 1})
	e := m.Explain(learn.Document{Title: "segfault", Text: "there is a segfault and a traceback in the parser"}, 40)
	if e.Prediction.Label != "bug" || len(e.Labels) != 3 || e.Labels[0].Label != "bug" {
		t.Fatalf("prediction %+v, labels %+v", e.Prediction, e.Labels)
	}
	var names []string
	for i, v := range e.Evidence {
		names = append(names, v.Feature)
		if v.Feature == "" || v.Family == "" || v.Label != "bug" {
			t.Errorf("evidence %+v", v)
		}
		if i > 0 && max(v.Weight, -v.Weight) > max(e.Evidence[i-1].Weight, -e.Evidence[i-1].Weight) {
			t.Error("evidence is not ordered by size")
		}
	}
	if all := strings.Join(names, "|"); !strings.Contains(all, "segfault") || !strings.Contains(all, "traceback") {
		t.Errorf("evidence %q lacks the telling words", all)
	}
	for _, l := range m.Metadata().Top {
		if len(l.Features) == 0 || l.Features[0].Feature == "" {
			t.Errorf("top features of %s: %+v", l.Label, l.Features)
		}
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	m := train(t, labelled(1, 150, 0.2), learn.TrainConfig{Head: "a<b&c", Seed: 1})
	e := evaluate(t, m, labelled(2, 150, 0.2))
	dec := xml.NewDecoder(bytes.NewReader(learn.SVG(e)))
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the SVG is no XML: %v", err)
		}
	}
	var b strings.Builder
	if err := learn.WriteReport(&b, e); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"precision", "question", "coverage", "accuracy"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}
