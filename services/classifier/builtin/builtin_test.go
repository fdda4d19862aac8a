package builtin_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/gptmesh/gptmesh/services/classifier/builtin"
	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	set, err := builtin.Load()
	if err != nil {
		t.Fatal(err)
	}
	again, err := builtin.Load()
	if err != nil || again != set {
		t.Errorf("the second call gave another set, or %v", err)
	}
	packed, err := os.Stat("default.model.deflate")
	if err != nil {
		t.Fatal(err)
	}
	if n := int64(len(set.Bytes())); n > 3<<20 || packed.Size() > n {
		t.Errorf("%d bytes, packed %d: the limit is 3 MB", n, packed.Size())
	}
	for _, m := range set.Models() {
		meta := m.Metadata()
		if meta.Training.Source == "" || meta.Training.Licence == "" {
			t.Errorf("head %s does not say where its data come from", meta.Head)
		}
	}
	for _, p := range set.Classify(learn.Document{Text: "set an alarm for 7 tomorrow"}, nil) {
		if p.Head == "intent" && p.Label != "alarm" {
			t.Errorf("intent %+v, want alarm", p)
		}
	}
}

func TestPack(t *testing.T) {
	t.Parallel()
	want := bytes.Repeat([]byte("weights "), 1000)
	packed, err := builtin.Pack(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := builtin.Unpack(packed)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d came back, error %v", len(got), len(want), err)
	}
	if _, err := builtin.Unpack(packed[:len(packed)/2]); err == nil {
		t.Error("half a file: no error")
	}
}
