package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// classifierEvaluateCommand measures a model.
type classifierEvaluateCommand struct {
	Model  string   `required:"" placeholder:"MODEL" help:"File of the model, or of several; 'default' is what the program carries."`
	Head   string   `help:"Head to measure, where the file holds several."`
	Data   []string `required:"" placeholder:"FILE.jsonl" help:"Labelled rows; - is standard input."`
	JSON   bool     `name:"json" help:"Print the figures as JSON."`
	Report string   `placeholder:"FILE.svg" help:"Write the calibration and coverage curves as SVG."`
}

// Run measures and prints.
func (c *classifierEvaluateCommand) Run() error { return c.run(os.Stdin, os.Stdout) }

func (c *classifierEvaluateCommand) run(stdin io.Reader, stdout io.Writer) error {
	m, err := classifierModel(c.Model, c.Head)
	if err != nil {
		return err
	}
	rows, err := classifierInput(c.Data, stdin)
	if err != nil {
		return err
	}
	labels := m.Metadata().Labels
	if !rows[0].Routed && !slices.ContainsFunc(rows, func(r learn.Row) bool { return slices.Contains(labels, r.Label) }) {
		return fmt.Errorf("field \"label\": the head %q knows no label of the rows, such as %q: it has %q", m.Metadata().Head, rows[0].Label, labels)
	}
	e, err := m.Evaluate(rows)
	if err != nil {
		return err
	}
	if c.Report != "" {
		if err := classifierWrite(c.Report, learn.SVG(e)); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(stdout, e)
	}
	return learn.WriteReport(stdout, e)
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
