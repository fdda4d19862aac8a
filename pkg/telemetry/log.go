package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// LogConfig says what is logged and how.
type LogConfig struct {
	// Level is debug, info, warn or error.
	Level string `yaml:"level"`
	// Format is text or json.
	Format string `yaml:"format"`
	// Delay is how long a line of level info or debug may wait for others, to be
	// written with them: a process that is killed loses those of so long. Warnings
	// and errors are written at once, with all before them. 0 writes every line at
	// once.
	Delay time.Duration `yaml:"delay"`
}

// Log is a logger and the lines that it has not written yet.
type Log struct {
	*slog.Logger
	lines *lines
}

// OpenLog makes a logger that writes to w. Close must be called.
func OpenLog(config LogConfig, w io.Writer) (*Log, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(config.Level)); err != nil {
		return nil, fmt.Errorf("level: %q: want debug, info, warn or error", config.Level)
	}
	if config.Delay < 0 || config.Delay > time.Minute {
		return nil, fmt.Errorf("delay: %s: want 0 to 1m", config.Delay)
	}
	lines := newLines(w, config.Delay)
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler
	switch strings.ToLower(config.Format) {
	case "text":
		handler = slog.NewTextHandler(lines, options)
	case "json":
		handler = plain{slog.NewJSONHandler(lines, options), lines}
	default:
		return nil, fmt.Errorf("format: %q: want text or json", config.Format)
	}
	return &Log{Logger: slog.New(urgent{handler, lines}), lines: lines}, nil
}

// Close writes what has waited. Lines that come after it are written at once.
func (l *Log) Close() error { return l.lines.close() }
