package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"
)

// Source says where values come from. Later ones win: what target holds, file,
// environment.
type Source struct {
	// File is the path of a YAML file; empty means none.
	File string
	// Prefix begins every variable: "GPTMESH".
	Prefix string
	// LookupEnv finds a variable. Nil means os.LookupEnv.
	LookupEnv func(string) (string, bool)
}

// Load fills target, a pointer to a struct that holds the defaults.
func Load(target any, source Source) error {
	if source.LookupEnv == nil {
		source.LookupEnv = os.LookupEnv
	}
	fields := collect(target, source.Prefix)
	if source.File != "" {
		if err := loadFile(target, source.File); err != nil {
			return err
		}
		fields = collect(target, source.Prefix)
	}
	var errs []error
	for _, f := range fields {
		if err := f.fromEnv(source.LookupEnv); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func loadFile(target any, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if err := Decode(target, text); err != nil {
		return fmt.Errorf("configuration %s: %w", path, err)
	}
	return nil
}

// Decode fills target from YAML text, strictly.
func Decode(target any, text []byte) error {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return err
	}
	if len(root.Content) == 0 {
		return nil
	}
	if err := wrongKeys(root.Content[0], target); err != nil {
		return err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(target); err != nil {
		return err
	}
	for {
		var more yaml.Node
		if err := decoder.Decode(&more); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if !more.IsZero() && !(len(more.Content) == 1 && more.Content[0].Tag == "!!null") {
			return fmt.Errorf("line %d: a second document, of which nothing would be read", more.Line)
		}
	}
}
