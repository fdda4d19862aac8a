package events

import (
	"context"
	"fmt"
	"runtime/debug"
)

// WithDefaults returns the subscription made whole, or why it is wrong.
func (s Subscription) WithDefaults() (Subscription, error) {
	for _, pattern := range s.Subjects {
		if err := CheckPattern(pattern); err != nil {
			return s, fmt.Errorf("events: subjects: %w", err)
		}
	}
	for _, c := range s.Group {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' || len(s.Group) > 64 {
			return s, fmt.Errorf("events: group %q: want at most 64 letters, digits, \"-\" and \"_\"", s.Group)
		}
	}
	if s.MaxAttempts <= 0 {
		s.MaxAttempts = DefaultMaxAttempts
	}
	if s.Backoff <= 0 {
		s.Backoff = DefaultBackoff
	}
	return s, nil
}

// Deliver calls the handler until it succeeds, has been tried often enough or
// ctx ends. tried is how often it was tried before. It returns how often it was
// tried in all, and the last error: with ctx still alive, the event is given up.
func Deliver(ctx context.Context, sub Subscription, event *Event, tried int, handle Handler) (attempts int, err error) {
	wait := sub.Backoff
	for attempts = tried + 1; ; attempts++ {
		if err = call(ctx, event, handle); err == nil {
			return attempts, nil
		}
		if ctx.Err() != nil || IsRejected(err) || attempts >= sub.MaxAttempts {
			return attempts, err
		}
		if Pause(ctx, wait); ctx.Err() != nil {
			return attempts, err
		}
		wait = min(2*wait, maxBackoff)
	}
}

// call turns a panic of the handler into an error.
func call(ctx context.Context, event *Event, handle Handler) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("handler panicked: %v\n%s", v, debug.Stack())
		}
	}()
	return handle(ctx, event)
}
