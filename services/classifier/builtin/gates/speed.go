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
	}{{"1 KB", prompts, 500, 150, 20_000}, {"32 KB of code", []string{code}, 0, 0, 2000}} {
		took := make([]time.Duration, 0, way.rounds)
		room := make([]learn.Prediction, 0, 32)
		for i := range 200 {
			set.Classify(learn.Document{Text: way.texts[i%len(way.texts)]}, room)
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range way.rounds {
			began := processorTime()
			set.Classify(learn.Document{Text: way.texts[i%len(way.texts)]}, room)
			took = append(took, processorTime()-began)
		}
		runtime.ReadMemStats(&after)
		slices.Sort(took)
		micros := func(share float64) float64 {
			return float64(took[int(share*float64(len(took)-1))].Nanoseconds()) / 1e3
		}
		b.add(bar{head: "all heads", what: "p99 in µs, " + way.what, figure: micros(0.99), gate: way.gate, target: way.target, atMost: true, note: fmt.Sprintf("p50 %.0f µs, p90 %.0f µs, %d texts", micros(0.5), micros(0.9), len(way.texts))})
		if way.gate > 0 {
			b.add(bar{head: "all heads", what: "allocations", figure: float64(after.Mallocs-before.Mallocs) / float64(way.rounds), gate: 20, target: 0.5, atMost: true})
		}
	}
	return nil
}
