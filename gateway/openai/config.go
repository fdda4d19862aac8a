package openai

import (
	"errors"
	"time"
)

// Config is how the face behaves.
type Config struct {
	// Heartbeat is how long a streaming client waits for its first event before
	// it gets a comment, and again after each further wait. 0 sends none.
	Heartbeat time.Duration `yaml:"heartbeat"`
	// Moderation are rules that judge the texts of /v1/moderations where no
	// provider does. Without any such texts are refused.
	Moderation []ModerationRule `yaml:"moderation"`
}

// DefaultConfig sends comments every 15 seconds.
func DefaultConfig() Config { return Config{Heartbeat: 15 * time.Second} }

// Validate says what is wrong with the configuration, or nil.
func (c Config) Validate() error {
	if c.Heartbeat < 0 {
		return errors.New("heartbeat: must not be negative")
	}
	_, err := newModerator(c.Moderation)
	return err
}
