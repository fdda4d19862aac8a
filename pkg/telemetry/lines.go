package telemetry

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// fullLines is the size from which lines are written without waiting for more.
const fullLines = 32 << 10

// lines gathers log lines, so that those of a moment are one write. It is safe
// for concurrent use.
type lines struct {
	to    io.Writer
	delay time.Duration

	mu     sync.Mutex
	buffer []byte
	timer  *time.Timer // rings when the first line in buffer is as old as delay
	closed bool        // lines are written at once
}

func newLines(to io.Writer, delay time.Duration) *lines {
	l := &lines{to: to, delay: delay, closed: delay <= 0}
	l.timer = time.AfterFunc(time.Hour, func() { _ = l.flush() })
	l.timer.Stop()
	return l
}

// Write keeps a line for later; io.Writer. It writes where there is no room for
// more, so that callers wait for a slow reader and memory has a bound.
func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return l.to.Write(line)
	}
	if len(l.buffer) == 0 {
		l.timer.Reset(l.delay)
	}
	l.buffer = append(l.buffer, line...)
	if len(l.buffer) < fullLines {
		return len(line), nil
	}
	return len(line), l.write()
}

// flush writes what was kept.
func (l *lines) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.write()
}

// write is flush. mu is held.
func (l *lines) write() error {
	if len(l.buffer) == 0 {
		return nil
	}
	l.timer.Stop()
	_, err := l.to.Write(l.buffer)
	l.buffer = l.buffer[:0]
	if cap(l.buffer) > 2*fullLines {
		l.buffer = nil
	}
	return err
}

// close writes what was kept, and lets each line that comes after be written at
// once.
func (l *lines) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.write()
}

// urgent is a handler whose warnings and errors do not wait: who reads them may
// not have long.
type urgent struct {
	slog.Handler
	lines *lines
}

func (u urgent) Handle(ctx context.Context, record slog.Record) error {
	err := u.Handler.Handle(ctx, record)
	if err == nil && record.Level >= slog.LevelWarn {
		err = u.lines.flush()
	}
	return err
}

func (u urgent) WithAttrs(attrs []slog.Attr) slog.Handler {
	return urgent{u.Handler.WithAttrs(attrs), u.lines}
}

func (u urgent) WithGroup(name string) slog.Handler {
	return urgent{u.Handler.WithGroup(name), u.lines}
}
