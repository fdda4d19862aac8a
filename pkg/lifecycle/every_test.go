package lifecycle_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gptmesh/gptmesh/pkg/lifecycle"
)

func TestEvery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		begin := time.Now()
		var at []time.Duration
		lifecycle.Every(ctx, time.Second, func(context.Context) {
			if at = append(at, time.Since(begin)); len(at) == 3 {
				end()
			}
		})
		if len(at) != 3 || at[0] != time.Second || at[2] != 3*time.Second {
			t.Errorf("done at %v", at)
		}
	})
}
