package main

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// classifierCalibrateCommand calibrates a model anew.
type classifierCalibrateCommand struct {
	Model          string   `required:"" placeholder:"MODEL" help:"File of the model, or of several; 'default' is what the program carries."`
	Head           string   `help:"Head to calibrate, where the file holds several; the result holds it alone."`
	Data           []string `required:"" placeholder:"FILE.jsonl" help:"Labelled rows that the model was not trained on; - is standard input."`
	Out            string   `placeholder:"MODEL" help:"File to write; the model's own where it is not given."`
	TargetAccuracy float64  `help:"How often accepted answers shall be right (default: as the model has it)."`
}

// Run calibrates, and writes the model.
func (c *classifierCalibrateCommand) Run() error { return c.run(os.Stdin, os.Stderr) }

func (c *classifierCalibrateCommand) run(stdin io.Reader, stderr io.Writer) error {
	m, err := classifierModel(c.Model, c.Head)
	if err != nil {
		return err
	}
	if c.Head != "" && c.Out == "" {
		return errors.New("--out is required with --head: the result holds this head alone")
	}
	rows, err := classifierInput(c.Data, stdin)
	if err != nil {
		return err
	}
	before, err := m.Evaluate(rows)
	if err != nil {
		return err
	}
	n, err := m.Calibrate(rows, c.TargetAccuracy)
	if err != nil {
		return err
	}
	after, err := n.Evaluate(rows)
	if err != nil {
		return err
	}
	out := c.Out
	if out == "" {
		out = c.Model
	}
	if err := classifierWrite(out, n.Bytes()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stderr, "%s: calibration error %.4f → %.4f on %d rows\n", out, before.ECE, after.ECE, len(rows))
	return err
}
