package session

import (
	"fmt"
	"time"
)

// Config is the room's configuration.
type Config struct {
	// IdleTimeout is the pause after which a session that set none is idle.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// Lifetime is how long after its creation a session that set no
	// expire_time expires.
	Lifetime time.Duration `yaml:"lifetime"`
	// MaxMessageBytes is the largest encoded size of one message.
	MaxMessageBytes int `yaml:"max_message_bytes"`
	// MaxMessages is the most messages in one session.
	MaxMessages int `yaml:"max_messages"`
	// MaxPreferencesBytes is the largest encoded size of a session's
	// preferences.
	MaxPreferencesBytes int `yaml:"max_preferences_bytes"`
	// MaxPageBytes ends a page of messages early, after the message that
	// brings its encoded size to this.
	MaxPageBytes int `yaml:"max_page_bytes"`
	// MaxWatchers is the most WatchSession calls at once in this process.
	MaxWatchers int `yaml:"max_watchers"`
	// PollInterval is how often watched sessions are looked up for changes
	// made by other processes.
	PollInterval time.Duration `yaml:"poll_interval"`
	// SweepInterval is how often sessions that have expired are written down.
	SweepInterval time.Duration `yaml:"sweep_interval"`
	// Retention is how long a session is kept after it ended or expired; then it
	// is removed with its messages, as by DeleteSession. 0 keeps it for ever.
	Retention time.Duration `yaml:"retention"`
	// TombstoneRetention is how long watchers can learn of a deletion.
	TombstoneRetention time.Duration `yaml:"tombstone_retention"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		IdleTimeout:         30 * time.Minute,
		Lifetime:            30 * 24 * time.Hour,
		MaxMessageBytes:     16 << 20,
		MaxMessages:         100_000,
		MaxPreferencesBytes: 64 << 10,
		MaxPageBytes:        3 << 20,
		MaxWatchers:         10_000,
		PollInterval:        500 * time.Millisecond,
		SweepInterval:       time.Second,
		TombstoneRetention:  24 * time.Hour,
	}
}

// Validate returns an error that names the first key that is wrong. All values
// but Retention must be positive.
func (c Config) Validate() error {
	for _, v := range []struct {
		key      string
		positive bool
	}{
		{"idle_timeout", c.IdleTimeout >= time.Microsecond},
		{"lifetime", c.Lifetime > 0},
		{"max_message_bytes", c.MaxMessageBytes > 0},
		{"max_messages", c.MaxMessages > 0},
		{"max_preferences_bytes", c.MaxPreferencesBytes > 0},
		{"max_page_bytes", c.MaxPageBytes > 0},
		{"max_watchers", c.MaxWatchers > 0},
		{"poll_interval", c.PollInterval > 0},
		{"sweep_interval", c.SweepInterval > 0},
		{"tombstone_retention", c.TombstoneRetention > 0},
	} {
		if !v.positive {
			return fmt.Errorf("session.%s: must be positive", v.key)
		}
	}
	if c.Retention < 0 {
		return fmt.Errorf("session.retention: must not be negative")
	}
	return nil
}
