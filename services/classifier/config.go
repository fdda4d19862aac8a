package classifier

import (
	"fmt"
	"time"
)

// Config is the room's configuration.
type Config struct {
	// HeuristicThreshold is the confidence from which the rules are accepted.
	HeuristicThreshold float64 `yaml:"heuristic_threshold"`
	// LearnedThreshold is the confidence from which a learned model is
	// accepted. It has no effect while there is no such tier.
	LearnedThreshold float64 `yaml:"learned_threshold"`
	// Timeout bounds a call: one classification, all tiers together, or one
	// batch.
	Timeout time.Duration `yaml:"timeout"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{HeuristicThreshold: 0.85, LearnedThreshold: 0.70, Timeout: 5 * time.Second}
}

// Validate returns an error that names the first key that is wrong.
func (c Config) Validate() error {
	switch {
	case !(c.HeuristicThreshold > 0 && c.HeuristicThreshold <= 1):
		return fmt.Errorf("classifier.heuristic_threshold: %v is not above 0 and at most 1", c.HeuristicThreshold)
	case !(c.LearnedThreshold > 0 && c.LearnedThreshold <= 1):
		return fmt.Errorf("classifier.learned_threshold: %v is not above 0 and at most 1", c.LearnedThreshold)
	case c.Timeout <= 0:
		return fmt.Errorf("classifier.timeout: %v is not positive", c.Timeout)
	}
	return nil
}
