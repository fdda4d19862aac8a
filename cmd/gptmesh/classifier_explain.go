package main

import (
	"fmt"
	"io"
	"os"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// classifierExplainCommand explains one answer.
type classifierExplainCommand struct {
	Model string `required:"" placeholder:"MODEL" help:"File of the model, or of several; 'default' is what the program carries."`
	Head  string `help:"Head to ask, where the file holds several."`
	Text  string `required:"" help:"Text to judge; - is standard input."`
	Title string `help:"Title of the text."`
	Group string `help:"Group of the text."`
	Limit int    `default:"12" help:"Most pieces of evidence."`
	JSON  bool   `name:"json" help:"Print as JSON."`
}

// Run explains and prints.
func (c *classifierExplainCommand) Run() error { return c.run(os.Stdin, os.Stdout) }

func (c *classifierExplainCommand) run(stdin io.Reader, stdout io.Writer) error {
	m, err := classifierModel(c.Model, c.Head)
	if err != nil {
		return err
	}
	text := c.Text
	if text == "-" {
		b, err := io.ReadAll(io.LimitReader(stdin, learn.MaxRowBytes))
		if err != nil {
			return err
		}
		text = string(b)
	}
	e := m.Explain(learn.Document{Title: c.Title, Text: text, Group: c.Group}, max(c.Limit, 0))
	if c.JSON {
		return printJSON(stdout, e)
	}
	p := e.Prediction
	if m.Metadata().Kind == learn.KindRouting {
		fmt.Fprintf(stdout, "%s: need %.3f, weak model right %.3f, strong model right %.3f\n", p.Head, p.Need, p.Weak, p.Strong)
	} else {
		fmt.Fprintf(stdout, "%s: %s, confidence %.3f\n", p.Head, p.Label, p.Confidence)
		for _, l := range e.Labels {
			fmt.Fprintf(stdout, "  %-30s %.3f\n", l.Label, l.Probability)
		}
	}
	fmt.Fprintln(stdout, "because of:")
	for _, v := range e.Evidence {
		fmt.Fprintf(stdout, "  %+.3f  %s (%s)\n", v.Weight, v.Feature, v.Family)
	}
	return nil
}

// classifierExportCommand prints a model's metadata.
type classifierExportCommand struct {
	Model string `required:"" placeholder:"MODEL" help:"File of the model, or of several; 'default' is what the program carries."`
	Head  string `help:"Head to print, where the file holds several."`
}

// Run prints.
func (c *classifierExportCommand) Run() error { return c.run(os.Stdout) }

func (c *classifierExportCommand) run(stdout io.Writer) error {
	m, err := classifierModel(c.Model, c.Head)
	if err != nil {
		return err
	}
	return printJSON(stdout, m.Metadata())
}
