package ollama

import (
	"errors"
	"time"
)

// Config is how the face behaves.
type Config struct {
	// Version is the version of Ollama that clients are told. Some refuse to
	// work below 0.6.4, Ollama's own below 0.17.6.
	Version string `yaml:"version"`
	// Heartbeat is how long a streaming client waits for the first line before
	// headers go out. 0 waits for the line.
	Heartbeat time.Duration `yaml:"heartbeat"`
}

// DefaultConfig imitates Ollama 0.17.6 and sends headers after 15 seconds.
func DefaultConfig() Config { return Config{Version: "0.17.6", Heartbeat: 15 * time.Second} }

// Validate says what is wrong with the configuration, or nil.
func (c Config) Validate() error {
	switch {
	case c.Version == "":
		return errors.New("version: must not be empty")
	case c.Heartbeat < 0:
		return errors.New("heartbeat: must not be negative")
	}
	return nil
}
