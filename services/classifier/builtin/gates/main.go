// Command gates measures the learned heads against the bars that this project
// sets for them, as nearly as the labelled data in a folder allow: on the
// development part where there is one, and by cross-validation over everything
// that is there. It prints one line for each bar and fails where a gate is not
// reached. Bars whose data are missing are named, with where they were looked
// for, and fail nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"
)

func main() {
	data := flag.String("data", "", "folder of labelled data: train/NAME.jsonl and dev/NAME.jsonl")
	only := flag.String("only", "", "measure what begins with one of these names alone, with commas between them")
	texts := flag.String("texts", "", "folders of harmless files that the guards are measured on, with commas between them")
	seeds := flag.Int("seeds", 2, "seeds of every cross-validation; figures are means")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *data, *texts, *only, *seeds)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gates:", err)
		os.Exit(1)
	}
}

// errFailed says that a gate was not reached.
var errFailed = errors.New("a gate is not passed")

// bar is one figure with what it has to be.
type bar struct {
	head, what   string
	figure       float64
	gate, target float64
	atMost       bool // the figure is to be low
	note         string
}

func (b *bar) reaches(v float64) bool {
	if b.atMost {
		return b.figure <= v
	}
	return b.figure >= v
}

// bench is one run.
type bench struct {
	ctx   context.Context
	dir   string
	texts string // folders of harmless files
	seeds int
	bars  []bar
	lacks []string
}

// part is what measures some bars.
type part struct {
	name    string
	measure func(*bench) error
}

var parts = []part{
	{"issue_type", issueType}, {"issue_type_unknown_repository", unknownRepository}, {"intent150", intents},
	{"route_mmlu", routeOptions}, {"route_gsm8k", routeOpen}, {"route_transfer", routeTransfer}, {"route_one", routeOne},
	{"guard", guards}, {"guard_files", guardFiles}, {"speed", speed},
}

func run(ctx context.Context, dir, texts, only string, seeds int) error {
	b := &bench{ctx: ctx, dir: dir, texts: texts, seeds: max(seeds, 1)}
	for _, p := range parts {
		wanted := only == ""
		for name := range strings.SplitSeq(only, ",") {
			wanted = wanted || name != "" && strings.HasPrefix(p.name, name)
		}
		if !wanted {
			continue
		}
		fmt.Fprintln(os.Stderr, "measuring", p.name)
		if err := p.measure(b); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return b.report()
}

func (b *bench) add(more ...bar) { b.bars = append(b.bars, more...) }

// report prints the table.
func (b *bench) report() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "HEAD\tFIGURE\tMEASURED\tGATE\tTARGET\t\tHOW")
	failed := 0
	for i := range b.bars {
		r := &b.bars[i]
		verdict := "FAIL"
		switch {
		case r.gate == 0:
			verdict = "-"
		case r.reaches(r.target):
			verdict = "target"
		case r.reaches(r.gate):
			verdict = "pass"
		default:
			failed++
		}
		limit := func(v float64) string {
			if v == 0 {
				return "-"
			}
			return fmt.Sprintf("%.4g", v)
		}
		fmt.Fprintf(w, "%s\t%s\t%.4g\t%s\t%s\t%s\t%s\n", r.head, r.what, r.figure, limit(r.gate), limit(r.target), verdict, r.note)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, l := range b.lacks {
		fmt.Println(l)
	}
	if failed > 0 {
		return fmt.Errorf("%w: %d of %d", errFailed, failed, len(b.bars))
	}
	return nil
}
