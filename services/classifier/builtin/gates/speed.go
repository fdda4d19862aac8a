package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gptmesh/gptmesh/services/classifier/builtin"
	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// speed measures what all heads of the program's own model take on one text,
// in processor time of one thread: what it would be on an idle core.
func speed(b *bench) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	set, err := builtin.Load()
	if err != nil {
		return err
	}
	issues, err := b.rows("train/issue_type.jsonl")
	if err != nil {
		return err
	}
	var prompts []string
	for i := range issues {
		if text := issues[i].Title + "\n" + issues[i].Text; len(text) >= 1024 {
			prompts = append(prompts, text[:1024])
		}
	}
	if prompts == nil {
		for _, c := range carriers {
			prompts = append(prompts, strings.Repeat(c, 1024/len(c)+1)[:1024])
		}
	}
	code := strings.Repeat(strings.Join(carriers, "\n"), 64)[:32<<10]
	for _, way := range []struct {
		what         string
		texts        []string
		gate, target float64
		rounds       int
	}{{"1 KB", prompts, 500, 150, 20}, {"32 KB of code", []string{code}, 0, 0, 200}} {
		room := make([]learn.Prediction, 0, 32)
		best := make([]time.Duration, len(way.texts)) // of every text, over the rounds
		all := make([]time.Duration, 0, way.rounds*len(way.texts))
		var before, after runtime.MemStats
		for round := range way.rounds + 1 {
			if round == 1 { // the first warms up
				runtime.GC()
				runtime.ReadMemStats(&before)
			}
			for i, text := range way.texts {
				began := processorTime()
				set.Classify(learn.Document{Text: text}, room)
				took := processorTime() - began
				if round == 0 || took < best[i] {
					best[i] = took
				}
				if round > 0 {
					all = append(all, took)
				}
			}
		}
		runtime.ReadMemStats(&after)
		b.add(bar{head: "all heads", what: "p99 in µs, " + way.what, figure: micros(best, 0.99), gate: way.gate, target: way.target, atMost: true, note: fmt.Sprintf("of %d texts, each at its best of %d rounds: p50 %.0f µs; of all rounds p50 %.0f µs, p99 %.0f µs", len(best), way.rounds, micros(best, 0.5), micros(all, 0.5), micros(all, 0.99))})
		if way.target > 0 {
			b.add(bar{head: "all heads", what: "allocations", figure: float64(after.Mallocs-before.Mallocs) / float64(len(all)), gate: 20, target: 0.5, atMost: true})
		}
	}
	return nil
}

// micros is the time that so many of the calls stay within.
func micros(took []time.Duration, share float64) float64 {
	sorted := slices.Sorted(slices.Values(took))
	return float64(sorted[int(share*float64(len(sorted)-1))].Nanoseconds()) / 1e3
}
