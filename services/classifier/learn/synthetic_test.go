package learn_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// kinds are the words that a label's texts are drawn from, beside the words
// that all share.
var kinds = map[string]string{
	"bug":      "crash error exception fails broken traceback panic wrong segfault regression",
	"feature":  "add support allow option propose enable introduce new configurable wish",
	"question": "how why what wondering help explain understand can possible anyone",
}

const filler = "the a build file module parser server client in of on with version when running code project update after using it this we i"

// labelled makes rows whose labels show in their words, but not always: noise
// is the share of texts drawn from another label's words.
func labelled(seed uint64, n int, noise float64, groups ...string) []learn.Row {
	rng := rand.New(rand.NewPCG(seed, 1))
	labels := []string{"bug", "feature", "question"}
	common := strings.Fields(filler)
	var rows []learn.Row
	for i := range n {
		label := labels[i%3]
		from := label
		if rng.Float64() < noise {
			from = labels[rng.IntN(3)]
		}
		words := strings.Fields(kinds[from])
		pick := func(k int) string {
			var out []string
			for range k {
				if rng.Float64() < 0.22 {
					out = append(out, words[rng.IntN(len(words))])
				} else {
					out = append(out, common[rng.IntN(len(common))])
				}
			}
			return strings.Join(out, " ")
		}
		r := learn.Row{Label: label}
		r.Title, r.Text = pick(5), pick(60)
		if len(groups) > 0 {
			r.Group = groups[i/3%len(groups)]
		}
		rows = append(rows, r)
	}
	return rows
}

// routed makes rows where a hard word makes the weak model fail and not the
// strong one.
func routed(seed uint64, n int) []learn.Row {
	rng := rand.New(rand.NewPCG(seed, 2))
	common := strings.Fields(filler)
	var rows []learn.Row
	for range n {
		hard := rng.Float64() < 0.4
		var words []string
		for range 8 + rng.IntN(20) {
			words = append(words, common[rng.IntN(len(common))])
		}
		if hard {
			words = append(words, []string{"prove", "integral", "theorem", "eigenvalue"}[rng.IntN(4)])
		}
		r := learn.Row{Routed: true, Weak: 1, Strong: 1}
		r.Text = strings.Join(words, " ")
		if hard == (rng.Float64() < 0.85) {
			r.Weak = 0
		}
		if rng.Float64() < 0.1 {
			r.Strong = 0
		}
		rows = append(rows, r)
	}
	return rows
}

// intents makes many labels of short texts and texts that belong to none.
func intents(seed uint64, labels, each int) []learn.Row {
	rng := rand.New(rand.NewPCG(seed, 3))
	common := strings.Fields(filler)
	var rows []learn.Row
	add := func(label string, own ...string) {
		var words []string
		for range 3 + rng.IntN(4) {
			words = append(words, common[rng.IntN(len(common))])
		}
		words = append(words, own...)
		rng.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
		rows = append(rows, learn.Row{Document: learn.Document{Text: strings.Join(words, " ")}, Label: label})
	}
	for l := range labels {
		for range each {
			add(fmt.Sprintf("intent_%02d", l), fmt.Sprintf("verb%c%c", 'a'+l%26, 'a'+l/26), fmt.Sprintf("noun%c%c", 'a'+l/26, 'z'-l%26))
		}
	}
	for i := range labels * each / 10 {
		add("oos", fmt.Sprintf("odd%dword", rng.IntN(400)), fmt.Sprintf("strange%c%cthing", 'a'+i%26, 'a'+rng.IntN(26)))
	}
	return rows
}

func train(t testing.TB, rows []learn.Row, cfg learn.TrainConfig) *learn.Model {
	t.Helper()
	if cfg.Head == "" {
		cfg.Head = "test"
	}
	m, err := learn.Train(context.Background(), rows, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func evaluate(t testing.TB, m *learn.Model, rows []learn.Row) *learn.Evaluation {
	t.Helper()
	e, err := m.Evaluate(rows)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
