package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gptmesh/gptmesh/services/classifier/builtin"
	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// classifierCommand trains and measures the classifier's learned models. It
// needs no running mesh.
type classifierCommand struct {
	Train     classifierTrainCommand     `cmd:"" help:"Train a model for one head from labelled rows."`
	Evaluate  classifierEvaluateCommand  `cmd:"" help:"Measure a model on labelled rows."`
	Calibrate classifierCalibrateCommand `cmd:"" help:"Fit a model's probabilities and thresholds on rows it was not trained on."`
	Explain   classifierExplainCommand   `cmd:"" help:"Say what a model thinks of a text, and why."`
	Export    classifierExportCommand    `cmd:"" help:"Print what a model says about itself, with its strongest features, as JSON."`
	Bundle    classifierBundleCommand    `cmd:"" help:"Put models of several heads into one file."`

	Classify classifierClassifyCommand `cmd:"" help:"Label a text: kind of work, complexity, and what every head says."`
	Feedback classifierFeedbackCommand `cmd:"" help:"Say what a label should have been, or whether it helped."`
	Retrain  classifierRetrainCommand  `cmd:"" help:"Train a head anew from feedback and finished tasks."`
	Versions classifierVersionsCommand `cmd:"" help:"List the versions of models."`
	Activate classifierActivateCommand `cmd:"" help:"Make a version the active one of its head, or the canary."`
	Rollback classifierRollbackCommand `cmd:"" help:"Make the version active that was active before."`
	Import   classifierImportCommand   `cmd:"" help:"Give a model file to the mesh, as a candidate."`
}

// classifierInput reads labelled rows from files, one after the other.
func classifierInput(paths []string, stdin io.Reader) ([]learn.Row, error) {
	var rows []learn.Row
	for _, path := range paths {
		more, err := classifierFile(path, stdin)
		if err != nil {
			return nil, err
		}
		if len(rows) > 0 && rows[0].Routed != more[0].Routed {
			return nil, fmt.Errorf("%s: field %q: the files before are of the other kind", path, "label")
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

func classifierFile(path string, stdin io.Reader) ([]learn.Row, error) {
	if path == "-" {
		return learn.ReadRows(stdin, "stdin")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return learn.ReadRows(f, path)
}

// classifierSet loads the file of a model or of a set. "default" is the set
// that the program carries, where there is no file of this name.
func classifierSet(path string) (*learn.Set, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && path == "default" {
		return builtin.Load()
	}
	if err != nil {
		return nil, err
	}
	set, err := learn.LoadSet(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return set, nil
}

// classifierModel loads the file of one model, or one head of a set.
func classifierModel(path, head string) (*learn.Model, error) {
	set, err := classifierSet(path)
	if err != nil {
		return nil, err
	}
	models := set.Models()
	if head == "" && len(models) == 1 {
		return models[0], nil
	}
	if m := set.Model(head); m != nil {
		return m, nil
	}
	var heads []string
	for _, m := range models {
		heads = append(heads, m.Metadata().Head)
	}
	if head == "" {
		return nil, fmt.Errorf("%s holds several heads: choose one of %q with --head", path, heads)
	}
	return nil, fmt.Errorf("%s has no head %q, but %q", path, head, heads)
}

// classifierWrite writes a file whole or not at all.
func classifierWrite(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
