// Command build trains the default model. Heads whose public data are not in
// the folder that it is given keep the model that the program carries now; it
// says so. The same data give the same bytes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gptmesh/gptmesh/services/classifier/builtin"
	"github.com/gptmesh/gptmesh/services/classifier/corpus"
	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

func main() {
	data := flag.String("data", "", "folder of the public data: the files NAME.jsonl, or train/NAME.jsonl")
	out := flag.String("out", "services/classifier/builtin/default.model.deflate", "file to write")
	only := flag.String("head", "", "train these heads alone, with commas between them, and keep the others")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *data, *out, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir, out, only string) error {
	before := carried(out)
	var models []*learn.Model
	for _, r := range recipes {
		m, err := r.model(ctx, dir, only, before)
		if err != nil {
			return fmt.Errorf("head %s: %w", r.config.Head, err)
		}
		if m != nil {
			models = append(models, m)
		}
	}
	set, err := learn.NewSet(models...)
	if err != nil {
		return err
	}
	packed, err := builtin.Pack(set.Bytes())
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d heads, %d bytes, packed %d\n", out, len(models), len(set.Bytes()), len(packed))
	return os.WriteFile(out, packed, 0o644)
}

// carried is the set in the file that is about to be replaced; nil where there
// is none that this engine reads.
func carried(path string) *learn.Set {
	packed, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	data, err := builtin.Unpack(packed)
	if err != nil {
		return nil
	}
	set, err := learn.LoadSet(data)
	if err != nil {
		return nil
	}
	return set
}

// model trains the head, or returns the one that is carried where the head is
// not wanted or its data are not there; nil where there is none either.
func (r *recipe) model(ctx context.Context, dir, only string, before *learn.Set) (*learn.Model, error) {
	head := r.config.Head
	var kept *learn.Model
	if before != nil {
		kept = before.Model(head)
	}
	if only != "" && !slices.Contains(strings.Split(only, ","), head) {
		return kept, nil
	}
	var public []learn.Row
	for _, name := range r.public {
		more, looked, err := read(dir, name)
		if err != nil {
			return nil, err
		}
		if more == nil {
			what := "there is no model of it"
			if kept != nil {
				what = "its model stays as it is"
			}
			fmt.Printf("%s: looked for %s (%s) in %q: not there, %s\n", head, name, r.config.Source, looked, what)
			return kept, nil
		}
		if r.convert != nil {
			more = r.convert(name, more)
		}
		public = append(public, more...)
	}
	rows := public
	if r.own {
		h, err := corpus.Rows(head)
		if err != nil {
			return nil, err
		}
		if err := apart(ctx, r.config, slices.Concat(public, h.Train), h.Kept); err != nil {
			return nil, err
		}
		rows = slices.Concat(public, h.Train, h.Kept)
	}
	m, err := learn.Train(ctx, rows, r.config)
	if err != nil {
		return nil, err
	}
	v := m.Metadata().Validation
	fmt.Printf("%s: %d rows, %d labels, %d bytes; cross-validated calibration error %.3f, ", head, len(rows), len(m.Metadata().Labels), len(m.Bytes()), v.ECE)
	if v.Routing != nil {
		fmt.Printf("APGR %.3f (length alone %.3f)", v.Routing.APGR, v.Scores["length_only"])
	} else {
		fmt.Printf("accuracy %.3f, macro F1 %.3f", v.Accuracy, v.MacroF1)
	}
	fmt.Println()
	return m, nil
}

// apart measures a model of the training templates on the templates that were
// kept apart. The default model is then trained on both.
func apart(ctx context.Context, cfg learn.TrainConfig, train, kept []learn.Row) error {
	m, err := learn.Train(ctx, train, cfg)
	if err != nil {
		return err
	}
	e, err := m.Evaluate(kept)
	if err != nil {
		return err
	}
	fmt.Printf("%s: templates kept apart: %d rows, accuracy %.3f, macro F1 %.3f, calibration error %.3f; recall", cfg.Head, e.Rows, e.Accuracy, e.MacroF1, e.ECE)
	for _, c := range e.Classes {
		fmt.Printf(" %s %.2f", c.Label, c.Recall)
	}
	fmt.Println()
	return nil
}

// read reads the rows of a public file; nil where it is not there. looked
// are the places.
func read(dir, name string) (rows []learn.Row, looked []string, err error) {
	if dir == "" {
		return nil, []string{"(no folder given)"}, nil
	}
	for _, path := range []string{filepath.Join(dir, "train", name), filepath.Join(dir, name)} {
		looked = append(looked, path)
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		rows, err := learn.ReadRows(f, path)
		return rows, looked, errors.Join(err, f.Close())
	}
	return nil, slices.Clip(looked), nil
}
