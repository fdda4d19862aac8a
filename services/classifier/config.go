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
	// Learning says when models are trained anew, and what on.
	Learning LearningConfig `yaml:"learning"`
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

// LearningConfig says when models are trained anew, and what on.
type LearningConfig struct {
	// MinSamples is how many samples a head needs, where a call says nothing
	// else: 100 to 100,000.
	MinSamples int `yaml:"min_samples"`
	// MaxSamples is how many are kept of a head, the newest; of feedback as many.
	MaxSamples int `yaml:"max_samples"`
	// MaxHeads is how many heads there may be, beside those that the mesh knows by
	// name. Feedback for one more is refused.
	MaxHeads int `yaml:"max_heads"`
	// MaxVersions is how many versions are kept of a head beside the active one,
	// the canary and the one before: the newest.
	MaxVersions int `yaml:"max_versions"`
	// MaxTrainings is how many trainings that have ended are kept of a head, the
	// newest.
	MaxTrainings int `yaml:"max_trainings"`
	// MaxBytes bounds the texts that one training works from, the newest.
	MaxBytes int `yaml:"max_bytes"`
	// Holdout is the share of the samples that is kept out of training, to
	// compare by: above 0, at most 0.5.
	Holdout float64 `yaml:"holdout"`
	// MinAccuracy is the accuracy on the kept-out samples below which no version
	// is activated; 0 demands only that it is not worse than the active one.
	MinAccuracy float64 `yaml:"min_accuracy"`
	// NewSamples trains a head when that many samples came since it was last
	// tried; 0 never does.
	NewSamples int `yaml:"new_samples"`
	// Every trains a head that has new samples when it was last tried so long
	// ago; 0 never does.
	Every time.Duration `yaml:"every"`
	// MinPrecision trains a head when less of the predictions that feedback spoke
	// of since it was last tried were right; 0 never does. It takes 100 such
	// predictions.
	MinPrecision float64 `yaml:"min_precision"`
	// CanaryPercent makes a version of these trainings the canary for so many of
	// a hundred keys; 0 makes it active.
	CanaryPercent int `yaml:"canary_percent"`
	// CheckInterval is the pause between looks whether a head is due, or has more
	// than is kept.
	CheckInterval time.Duration `yaml:"check_interval"`
	// RefreshInterval is how long another process may go on with a version that
	// was replaced. PostgreSQL only.
	RefreshInterval time.Duration `yaml:"refresh_interval"`
	// Timeout bounds one training.
	Timeout time.Duration `yaml:"timeout"`
	// TaskEvents makes a sample of every completed task on the event bus.
	TaskEvents bool `yaml:"task_events"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		HeuristicThreshold: 0.85, LearnedThreshold: 0.70, Timeout: 5 * time.Second, Learned: true,
		LLM: LLM{MaxConcurrent: 8, MinTime: 200 * time.Millisecond, BreakerFailures: 5, BreakerRecovery: 30 * time.Second},
		Learning: LearningConfig{
			MinSamples: 1000, MaxSamples: 100_000, MaxHeads: 100, MaxVersions: 20, MaxTrainings: 1000, MaxBytes: 64 << 20, Holdout: 0.2, NewSamples: 1000, Every: 7 * 24 * time.Hour, MinPrecision: 0.92,
			CheckInterval: time.Minute, RefreshInterval: 2 * time.Second, Timeout: 10 * time.Minute, TaskEvents: true,
		},
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
	return c.Learning.validate()
}

func (l LearningConfig) validate() error {
	wrong := func(key string, value any, rule string) error {
		return fmt.Errorf("classifier.learning.%s: %v %s", key, value, rule)
	}
	switch {
	case l.MinSamples < minSamples || l.MinSamples > maxSamples:
		return wrong("min_samples", l.MinSamples, fmt.Sprintf("is not from %d to %d", minSamples, maxSamples))
	case l.MaxSamples < l.MinSamples:
		return wrong("max_samples", l.MaxSamples, "is less than min_samples")
	case l.MaxHeads < 0:
		return wrong("max_heads", l.MaxHeads, "is negative")
	case l.MaxVersions < 1:
		return wrong("max_versions", l.MaxVersions, "is not positive")
	case l.MaxTrainings < 1:
		return wrong("max_trainings", l.MaxTrainings, "is not positive")
	case l.MaxBytes <= 0:
		return wrong("max_bytes", l.MaxBytes, "is not positive")
	case !(l.Holdout > 0 && l.Holdout <= 0.5):
		return wrong("holdout", l.Holdout, "is not above 0 and at most 0.5")
	case !(l.MinAccuracy >= 0 && l.MinAccuracy <= 1):
		return wrong("min_accuracy", l.MinAccuracy, "is not from 0 to 1")
	case l.NewSamples < 0:
		return wrong("new_samples", l.NewSamples, "is negative")
	case l.Every < 0:
		return wrong("every", l.Every, "is negative")
	case !(l.MinPrecision >= 0 && l.MinPrecision <= 1):
		return wrong("min_precision", l.MinPrecision, "is not from 0 to 1")
	case l.CanaryPercent < 0 || l.CanaryPercent > 99:
		return wrong("canary_percent", l.CanaryPercent, "is not from 0 to 99")
	case l.CheckInterval <= 0:
		return wrong("check_interval", l.CheckInterval, "is not positive")
	case l.RefreshInterval <= 0:
		return wrong("refresh_interval", l.RefreshInterval, "is not positive")
	case l.Timeout <= 0:
		return wrong("timeout", l.Timeout, "is not positive")
	}
	return nil
}
