package upstream

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// TestDialEndsWithItsCaller: a socket's deadline is that of the context, and may be
// seen before the context has ended. It is the caller's time that ran out all the
// same, and not that for connecting.
func TestDialEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		caller, dial time.Duration
		want         error
	}{
		"the caller's": {time.Second, 10 * time.Second, context.DeadlineExceeded},
		"its own":      {10 * time.Second, time.Second, ErrDialTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				config := Config{DialTimeout: c.dial, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
					at, _ := ctx.Deadline()
					time.Sleep(time.Until(at))
					return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
				}}
				ctx, cancel := context.WithTimeout(t.Context(), c.caller)
				defer cancel()
				_, err := config.dial(ctx, "tcp", "x:1")
				if !errors.Is(err, c.want) || c.want != ErrDialTimeout && errors.Is(err, ErrDialTimeout) {
					t.Errorf("%v, want %v", err, c.want)
				}
			})
		})
	}
}

// TestDialThatTimesOutByItself: a timeout of the network's own is one of connecting.
func TestDialThatTimesOutByItself(t *testing.T) {
	t.Parallel()
	config := Config{DialTimeout: time.Hour, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
	}}
	if _, err := config.dial(t.Context(), "tcp", "x:1"); !errors.Is(err, ErrDialTimeout) {
		t.Error(err)
	}
}
