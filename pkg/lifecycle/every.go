package lifecycle

import (
	"context"
	"time"
)

// Every does something at each interval, the first time after one, until ctx ends. One
// that takes longer than the interval is not begun a second time meanwhile.
func Every(ctx context.Context, interval time.Duration, do func(ctx context.Context)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		do(ctx)
	}
}
