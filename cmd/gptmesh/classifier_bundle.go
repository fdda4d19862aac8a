package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// classifierBundleCommand joins files of models.
type classifierBundleCommand struct {
	Models []string `arg:"" name:"model" help:"Files of models or bundles; of a head that is there twice the last one stays. 'default' is what the program carries."`
	Out    string   `required:"" placeholder:"BUNDLE" help:"File to write."`
}

// Run joins, and writes the bundle.
func (c *classifierBundleCommand) Run() error { return c.run(os.Stderr) }

func (c *classifierBundleCommand) run(stderr io.Writer) error {
	all, err := learn.NewSet()
	if err != nil {
		return err
	}
	for _, path := range c.Models {
		set, err := classifierSet(path)
		if err != nil {
			return err
		}
		for _, m := range set.Models() {
			if all, err = all.With(m); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	if err := classifierWrite(c.Out, all.Bytes()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stderr, "%s: %s, %d bytes\n", c.Out, strings.Join(all.Heads(), ", "), len(all.Bytes()))
	return err
}
