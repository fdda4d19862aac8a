package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// classifierTrainCommand trains a model.
type classifierTrainCommand struct {
	Head           string   `required:"" help:"Name of the head."`
	Data           []string `required:"" placeholder:"FILE.jsonl" help:"Labelled rows: text, optional title and group, and label or weak and strong. May be given again; - is standard input."`
	Out            string   `required:"" placeholder:"MODEL" help:"File to write the model to."`
	Seed           uint64   `default:"1" help:"Seed of every random choice: the same rows and seed give the same file."`
	Groups         string   `enum:"auto,on,off,apart" default:"auto" help:"Whether groups get features of their own: auto, on or off; apart is for rows made alike within a group, such as those of one template."`
	OutOfScope     string   `placeholder:"LABEL" help:"Label of texts that belong to none of the others (default: oos and the like)."`
	TargetAccuracy float64  `default:"0.9" help:"How often accepted answers shall be right; sets the threshold."`
	MaxBytes       int      `help:"Most bytes of weights (default 1 MB, 1.5 MB with more than 50 labels)."`
	Source         string   `help:"Public origin of the data, kept in the model."`
	Licence        string   `help:"Note about the data's licence, kept in the model."`
	Quiet          bool     `short:"q" help:"Show no progress."`
}

// Run trains, and writes the model.
func (c *classifierTrainCommand) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return c.run(ctx, os.Stdin, os.Stderr)
}

func (c *classifierTrainCommand) run(ctx context.Context, stdin io.Reader, stderr io.Writer) error {
	rows, err := classifierInput(c.Data, stdin)
	if err != nil {
		return err
	}
	cfg := learn.TrainConfig{
		Head: c.Head, Seed: c.Seed, Groups: learn.GroupUse(c.Groups), OutOfScope: c.OutOfScope, TargetAccuracy: c.TargetAccuracy,
		MaxBytes: c.MaxBytes, Source: c.Source, Licence: c.Licence,
	}
	if !c.Quiet {
		cfg.Progress = trainingProgress(stderr, time.Now())
	}
	m, err := learn.Train(ctx, rows, cfg)
	if err != nil {
		return fmt.Errorf("train %s: %w", c.Head, err)
	}
	if err := classifierWrite(c.Out, m.Bytes()); err != nil {
		return err
	}
	if !c.Quiet {
		fmt.Fprintf(stderr, "%s: model %s, %d labels, %d bytes, from %d rows\n", c.Out, m.Metadata().Version, len(m.Metadata().Labels), len(m.Bytes()), len(rows))
		v := m.Metadata().Validation
		if v.Routing != nil {
			fmt.Fprintf(stderr, "cross-validated: APGR %.3f (length alone %.3f)\n", v.Routing.APGR, v.Scores["length_only"])
		} else {
			fmt.Fprintf(stderr, "cross-validated: accuracy %.3f, macro F1 %.3f, calibration error %.3f\n", v.Accuracy, v.MacroF1, v.ECE)
		}
	}
	return nil
}

// trainingProgress writes one line for every fifth of a stage.
func trainingProgress(w io.Writer, began time.Time) func(stage string, done, total int) {
	lastStage, lastFifth := "", -1
	return func(stage string, done, total int) {
		fifth := done * 5 / max(total, 1)
		if stage == lastStage && fifth == lastFifth {
			return
		}
		lastStage, lastFifth = stage, fifth
		fmt.Fprintf(w, "%6.1fs  %s %d %%\n", time.Since(began).Seconds(), stage, done*100/max(total, 1))
	}
}
