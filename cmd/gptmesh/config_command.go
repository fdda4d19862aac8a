package main

import (
	"fmt"
	"os"

	"github.com/gptmesh/gptmesh/pkg/config"
)

type configCommand struct {
	Print  configPrint  `cmd:"" help:"Print the configuration in force, secrets masked."`
	Verify configVerify `cmd:"" help:"Say whether the configuration is right."`
}

type configPrint struct {
	Config    string `help:"YAML file with the configuration." type:"existingfile" placeholder:"FILE"`
	Variables bool   `help:"Print each key's variable of the environment instead."`
}

// Run prints the configuration in force.
func (c configPrint) Run() error {
	s, err := loadSettings(c.Config)
	if err != nil {
		return err
	}
	if c.Variables {
		for _, f := range config.Fields(&s, prefix) {
			for _, v := range f.Variables {
				fmt.Printf("%-50s %s\n", f.Path, v)
			}
		}
		return nil
	}
	text, err := config.Print(&s)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}

type configVerify struct {
	Config string `help:"YAML file with the configuration." type:"existingfile" placeholder:"FILE"`
}

// Run says whether the configuration is right.
func (c configVerify) Run() error {
	s, err := loadSettings(c.Config)
	if err != nil {
		return err
	}
	if err := s.validate(); err != nil {
		return err
	}
	fmt.Println("the configuration is right")
	tellStrays(os.Stdout, os.Environ())
	return nil
}
