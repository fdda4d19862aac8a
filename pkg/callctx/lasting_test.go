package callctx_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gptmesh/gptmesh/pkg/callctx"
)

// It counts goroutines, so nothing runs beside it.
func TestLasting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, leave := context.WithCancel(callctx.With(t.Context(), callctx.Call{RequestID: "r"}))
		leave()
		ctx, stop := callctx.Lasting(parent, time.Minute)
		if ctx.Err() != nil || context.Cause(ctx) != nil {
			t.Error("it ended with its parent:", ctx.Err(), context.Cause(ctx))
		}
		if callctx.From(ctx).RequestID != "r" {
			t.Error("it lost its values")
		}
		before := runtime.NumGoroutine()
		child, cancel := context.WithCancel(ctx)
		defer cancel()
		if runtime.NumGoroutine() != before {
			t.Error("a context made of it takes a goroutine")
		}
		stop()
		<-child.Done()
		if !errors.Is(ctx.Err(), context.Canceled) || !errors.Is(child.Err(), context.Canceled) {
			t.Error(ctx.Err(), child.Err())
		}
		for _, waits := range []bool{true, false} {
			ctx, stop := callctx.Lasting(parent, time.Minute)
			if waits {
				<-ctx.Done()
			} else {
				time.Sleep(time.Minute)
			}
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Error(ctx.Err())
			}
			stop()
		}
		over, stop := callctx.Lasting(parent, time.Minute)
		stop()
		<-over.Done()
		if !errors.Is(over.Err(), context.Canceled) {
			t.Error(over.Err())
		}
	})
}
