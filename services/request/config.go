package request

import (
	"errors"
	"fmt"
	"time"
)

// Config is how the room works.
type Config struct {
	// Timeout bounds a request that names no timeout.
	Timeout time.Duration `yaml:"timeout"`
	// MaxTimeout bounds what a request may name.
	MaxTimeout time.Duration `yaml:"max_timeout"`
	// MaxTurnBytes bounds a turn: the raw body, or the typed half.
	MaxTurnBytes int `yaml:"max_turn_bytes"`
	// MaxContextTokens is the budget for the history of a session; 0 means no
	// limit.
	MaxContextTokens int64 `yaml:"max_context_tokens"`
	// MaxRunning bounds the requests handled at once; more are OVERLOADED.
	MaxRunning int `yaml:"max_running"`
	// MaxDetached bounds those among them that run without a client.
	MaxDetached int `yaml:"max_detached"`
	// ClassifierTimeout bounds what choosing a model for "auto" may wait.
	ClassifierTimeout time.Duration `yaml:"classifier_timeout"`
	// SessionTimeout bounds a call of the session room.
	SessionTimeout time.Duration `yaml:"session_timeout"`
	// StoreTimeout bounds the writes that happen although the client left.
	StoreTimeout time.Duration `yaml:"store_timeout"`
	// RowDelay is how long a turn without idempotency key that is neither
	// streamed nor outlives its client may have no row. One that ends sooner is written once, with its end; 0
	// writes every row at once.
	RowDelay time.Duration `yaml:"row_delay"`
	// KeyLifetime is how long an idempotency key is kept.
	KeyLifetime time.Duration `yaml:"key_lifetime"`
	// SweepInterval is the pause between removals of expired keys.
	SweepInterval time.Duration `yaml:"sweep_interval"`
	// RetryInterval is the pause between rounds of storing final states that
	// could not be stored at first.
	RetryInterval time.Duration `yaml:"retry_interval"`
	// PollInterval is the pause between looks at a request that another process
	// handles.
	PollInterval time.Duration `yaml:"poll_interval"`
	// HeartbeatInterval is how often a process says that it lives. PostgreSQL
	// only.
	HeartbeatInterval time.Duration `yaml:"heartbeat_interval"`
	// DeadAfter is the silence after which a process is dead. PostgreSQL only.
	DeadAfter time.Duration `yaml:"dead_after"`
	// Bounds are the room's own bounds of typed turns.
	Bounds Bounds `yaml:"bounds"`
	// Auto says which models "auto" chooses among.
	Auto Auto `yaml:"auto"`
}

// Bounds are checked where the turn does not name a wire whose bounds a face
// has checked.
type Bounds struct {
	// TemperatureMax is the highest temperature; the lowest is 0.
	TemperatureMax float64 `yaml:"temperature_max"`
	// TemperatureWarnBelow and TemperatureWarnAbove mark temperatures that are
	// taken with a warning.
	TemperatureWarnBelow float64 `yaml:"temperature_warn_below"`
	TemperatureWarnAbove float64 `yaml:"temperature_warn_above"`
	// MaxOutputTokens is the highest max_output_tokens; 0 means no limit.
	MaxOutputTokens int64 `yaml:"max_output_tokens"`
}

// Auto are the models for the classifier's complexities. An empty one means
// Default; an empty Default the gpt room's default model.
type Auto struct {
	Simple  string `yaml:"simple"`
	Medium  string `yaml:"medium"`
	Complex string `yaml:"complex"`
	Default string `yaml:"default"`
}

// DefaultConfig is what is used where nothing else is said.
func DefaultConfig() Config {
	return Config{
		Timeout: 10 * time.Minute, MaxTimeout: 24 * time.Hour, MaxTurnBytes: 32 << 20, MaxContextTokens: 128_000,
		MaxRunning: 10_000, MaxDetached: 1000, ClassifierTimeout: 50 * time.Millisecond,
		SessionTimeout: 5 * time.Second, StoreTimeout: 10 * time.Second,
		RowDelay:    100 * time.Millisecond,
		KeyLifetime: 24 * time.Hour, SweepInterval: 10 * time.Minute, RetryInterval: 2 * time.Second,
		PollInterval: 100 * time.Millisecond, HeartbeatInterval: 5 * time.Second, DeadAfter: 15 * time.Second,
		Bounds: Bounds{TemperatureMax: 1, TemperatureWarnBelow: 0.2, TemperatureWarnAbove: 0.8},
	}
}

// Validate says which key is wrong.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, key, rule string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %s", key, rule))
		}
	}
	for key, d := range map[string]time.Duration{
		"timeout": c.Timeout, "classifier_timeout": c.ClassifierTimeout, "session_timeout": c.SessionTimeout,
		"store_timeout": c.StoreTimeout, "key_lifetime": c.KeyLifetime, "sweep_interval": c.SweepInterval,
		"retry_interval": c.RetryInterval, "poll_interval": c.PollInterval, "heartbeat_interval": c.HeartbeatInterval,
	} {
		check(d > 0, key, "must be positive")
	}
	check(c.RowDelay >= 0, "row_delay", "must not be negative")
	check(c.MaxTimeout >= c.Timeout, "max_timeout", "must not be less than timeout")
	check(c.MaxTurnBytes > 0, "max_turn_bytes", "must be positive")
	check(c.MaxContextTokens >= 0, "max_context_tokens", "must not be negative")
	check(c.MaxRunning > 0, "max_running", "must be positive")
	check(c.MaxDetached > 0, "max_detached", "must be positive")
	check(c.DeadAfter > 2*c.HeartbeatInterval, "dead_after", "must be more than twice heartbeat_interval")
	check(c.Bounds.TemperatureMax > 0 && c.Bounds.TemperatureMax <= 2, "bounds.temperature_max", "must be more than 0 and at most 2")
	check(c.Bounds.MaxOutputTokens >= 0, "bounds.max_output_tokens", "must not be negative")
	return errors.Join(errs...)
}
