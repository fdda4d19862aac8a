package response

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Config is how the room works.
type Config struct {
	// MaxAnswerBytes bounds the log of one answer; a larger one fails with
	// TOO_LARGE.
	MaxAnswerBytes int `yaml:"max_answer_bytes"`
	// MaxRunning bounds the answers that are made at once; more are OVERLOADED.
	MaxRunning int `yaml:"max_running"`
	// MaxDuration bounds an answer whose client may leave.
	MaxDuration time.Duration `yaml:"max_duration"`
	// StoreTimeout bounds the writes that happen although the client left.
	StoreTimeout time.Duration `yaml:"store_timeout"`
	// RowDelay is how long an answer that is neither streamed nor outlives its
	// client may have no row, and an eighth more where many are made. One that
	// ends sooner is written once, with its end; 0 writes every row at once.
	RowDelay time.Duration `yaml:"row_delay"`
	// Guard says what happens to answers that are a danger to a model.
	Guard Guard `yaml:"guard"`
	// SessionTimeout bounds one append to a session.
	SessionTimeout time.Duration `yaml:"session_timeout"`
	// RetryInterval is the pause between rounds of appends and final rows that
	// could not be made at first.
	RetryInterval time.Duration `yaml:"retry_interval"`
	// JournalInterval is the pause between writes of what running answers have
	// brought since the last one: how much of an answer a killed process loses. An
	// answer that ends sooner than this is not journaled. 0 journals nothing.
	JournalInterval time.Duration `yaml:"journal_interval"`
	// JournalRate is how many pieces of running answers are written in a second, in
	// the long run: where more than JournalRate × JournalInterval answers run, the
	// pause is longer. 0 means 1,000 on PostgreSQL, where each is a row that is
	// inserted and removed, and 8,000 in the embedded store.
	JournalRate int `yaml:"journal_rate"`
	// WatchPollInterval is the longest pause between looks at an answer that
	// another process makes; while it grows, looks come at a fifth of that.
	WatchPollInterval time.Duration `yaml:"watch_poll_interval"`
	// Retention is how long an answer is kept after it was begun. 0 keeps answers
	// for ever.
	Retention time.Duration `yaml:"retention"`
	// SweepInterval is the pause between removals of answers past retention, and of
	// what outlived its answer.
	SweepInterval time.Duration `yaml:"sweep_interval"`
	// HeartbeatInterval is how often a process says that it lives, and looks for
	// what others ask of it. PostgreSQL only.
	HeartbeatInterval time.Duration `yaml:"heartbeat_interval"`
	// DeadAfter is the silence after which a process is dead. PostgreSQL only.
	DeadAfter time.Duration `yaml:"dead_after"`
	// CacheMaxBytes bounds the kept answers; 0 keeps none.
	CacheMaxBytes int64 `yaml:"cache_max_bytes"`
	// Events says what events of answers hold.
	Events EventsConfig `yaml:"events"`
}

// DefaultConfig is what is used where nothing else is said.
func DefaultConfig() Config {
	return Config{
		MaxAnswerBytes: 32 << 20, MaxRunning: 10_000, MaxDuration: 30 * time.Minute,
		StoreTimeout: 10 * time.Second, RowDelay: 100 * time.Millisecond, SessionTimeout: 5 * time.Second, RetryInterval: 2 * time.Second,
		JournalInterval: 100 * time.Millisecond, WatchPollInterval: 250 * time.Millisecond,
		Retention: 30 * 24 * time.Hour, SweepInterval: 10 * time.Minute, HeartbeatInterval: 5 * time.Second, DeadAfter: 15 * time.Second,
		CacheMaxBytes: 64 << 20, Guard: Guard{Mode: guardFlag, Timeout: 20 * time.Millisecond, FlagRate: 50, Hold: 400},
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
	check(c.MaxAnswerBytes > 0, "max_answer_bytes", "must be positive")
	check(slices.Contains(guardModes, c.Guard.Mode), "guard.mode", "must be off, flag, redact or refuse")
	check(c.Guard.Hold >= 100 && c.Guard.Hold <= maxScreenLen/2, "guard.hold", fmt.Sprintf("must be from 100 to %d", maxScreenLen/2))
	check(c.Guard.Timeout > 0, "guard.timeout", "must be positive")
	check(c.Guard.FlagRate >= 0, "guard.flag_rate", "must not be negative")
	check(c.MaxRunning > 0, "max_running", "must be positive")
	for key, d := range map[string]time.Duration{
		"max_duration": c.MaxDuration, "store_timeout": c.StoreTimeout, "session_timeout": c.SessionTimeout,
		"retry_interval": c.RetryInterval, "watch_poll_interval": c.WatchPollInterval, "heartbeat_interval": c.HeartbeatInterval,
		"sweep_interval": c.SweepInterval,
	} {
		check(d > 0, key, "must be positive")
	}
	check(c.JournalInterval >= 0, "journal_interval", "must not be negative")
	check(c.JournalRate >= 0, "journal_rate", "must not be negative")
	check(c.Retention >= 0, "retention", "must not be negative")
	check(c.RowDelay >= 0, "row_delay", "must not be negative")
	check(c.DeadAfter > 2*c.HeartbeatInterval, "dead_after", "must be more than twice heartbeat_interval")
	check(c.CacheMaxBytes >= 0, "cache_max_bytes", "must not be negative")
	return errors.Join(errs...)
}
