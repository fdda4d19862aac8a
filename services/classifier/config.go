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
	// accepted.
	LearnedThreshold float64 `yaml:"learned_threshold"`
	// Timeout bounds a call: one classification, all tiers together, or one
	// batch.
	Timeout time.Duration `yaml:"timeout"`
	// Learned says whether learned models are asked at all.
	Learned bool `yaml:"learned"`
	// LLM is the language model that is asked where no other tier is sure.
	LLM LLM `yaml:"llm"`
}

// LLM says which language model is the last tier, and when it is left alone.
type LLM struct {
	// Model is the model's id or alias, as the gpt room knows it. Empty turns
	// the tier off.
	Model string `yaml:"model"`
	// MaxConcurrent bounds the calls at one time; a text that finds none free
	// falls back.
	MaxConcurrent int `yaml:"max_concurrent"`
	// MinTime is the least time that must be left of a classification for the
	// model to be asked.
	MinTime time.Duration `yaml:"min_time"`
	// BreakerFailures in a row open the breaker.
	BreakerFailures int `yaml:"breaker_failures"`
	// BreakerRecovery is the time from its opening to a single probe.
	BreakerRecovery time.Duration `yaml:"breaker_recovery"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		HeuristicThreshold: 0.85, LearnedThreshold: 0.70, Timeout: 5 * time.Second, Learned: true,
		LLM: LLM{MaxConcurrent: 8, MinTime: 200 * time.Millisecond, BreakerFailures: 5, BreakerRecovery: 30 * time.Second},
	}
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
	case c.LLM.MaxConcurrent < 1:
		return fmt.Errorf("classifier.llm.max_concurrent: %d is not positive", c.LLM.MaxConcurrent)
	case c.LLM.MinTime < 0:
		return fmt.Errorf("classifier.llm.min_time: %v is negative", c.LLM.MinTime)
	case c.LLM.BreakerFailures < 1:
		return fmt.Errorf("classifier.llm.breaker_failures: %d is not positive", c.LLM.BreakerFailures)
	case c.LLM.BreakerRecovery <= 0:
		return fmt.Errorf("classifier.llm.breaker_recovery: %v is not positive", c.LLM.BreakerRecovery)
	}
	return nil
}
