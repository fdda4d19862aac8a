package transport

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/gptmesh/gptmesh/pkg/upstream"
)

// maxTargets bounds the addresses that are remembered: some dialects have one
// per model.
const maxTargets = 128

// targets are addresses that were parsed before, by path. The zero value is ready;
// it is safe for concurrent use.
type targets struct {
	known atomic.Pointer[map[string]upstream.Target] // never changes
	mu    sync.Mutex                                 // of what takes its place
}

func (t *targets) get(path string) (upstream.Target, bool) {
	known := t.known.Load()
	if known == nil {
		return upstream.Target{}, false
	}
	target, ok := (*known)[path]
	return target, ok
}

func (t *targets) keep(path string, target upstream.Target) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := map[string]upstream.Target{}
	if old := t.known.Load(); old != nil && len(*old) < maxTargets {
		known = maps.Clone(*old)
	}
	known[path] = target
	t.known.Store(&known)
}
