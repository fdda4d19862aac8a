package learn_test

import (
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// kilobyte is an ordinary issue of about 1 KB.
var kilobyte = learn.Document{
	Title: "Parser crashes when the configuration file has no sections",
	Group: "a",
	Text: strings.Repeat("After updating to v2.3.1 the server fails to start. How can I find out which option is wrong? "+
		"I expected `serve --config app.yaml` to print an error and exit, see https://example.com/docs for the format. ", 4) +
		"\n\n### Steps to reproduce\n\n1. run it\n2. look at /var/log/app.log\n\n```\npanic: index out of range\n```\n",
}

func BenchmarkClassify1KB(b *testing.B) {
	var models []*learn.Model
	for _, c := range []struct {
		head string
		rows []learn.Row
	}{
		{"issue", labelled(1, 600, 0.1, "a", "b")}, {"intent", intents(1, 150, 10)}, {"route", routed(1, 600)},
		{"complexity", labelled(2, 300, 0.3)}, {"risk", labelled(3, 300, 0.3)}, {"language", intents(2, 30, 12)},
	} {
		models = append(models, train(b, c.rows, learn.TrainConfig{Head: c.head, Seed: 1}))
	}
	set, err := learn.NewSet(models...)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("one head", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			models[0].Classify(kilobyte)
		}
	})
	b.Run("six heads", func(b *testing.B) {
		b.ReportAllocs()
		dst := make([]learn.Prediction, 0, 8)
		for b.Loop() {
			dst = set.Classify(kilobyte, dst[:0])
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	data := train(b, intents(1, 150, 10), learn.TrainConfig{Seed: 1}).Bytes()
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := learn.Load(data); err != nil {
			b.Fatal(err)
		}
	}
}
