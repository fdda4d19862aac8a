// Package ratelimit counts calls per principal and class in fixed windows.
package ratelimit

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// Config are the limits. A limit of 0 calls means none.
type Config struct {
	// API bounds calls of RATE_CLASS_API per principal and window.
	API int `yaml:"api"`
	// GPT bounds calls of RATE_CLASS_GPT per principal and window.
	GPT int `yaml:"gpt"`
	// Window is the length of a window.
	Window time.Duration `yaml:"window"`
}

// DefaultConfig has no limits, in windows of a minute.
func DefaultConfig() Config { return Config{Window: time.Minute} }

// Validate says what is wrong with the configuration, or nil.
func (c Config) Validate() error {
	switch {
	case c.API < 0:
		return fmt.Errorf("api: must not be negative")
	case c.GPT < 0:
		return fmt.Errorf("gpt: must not be negative")
	case (c.API > 0 || c.GPT > 0) && c.Window <= 0:
		return fmt.Errorf("window: must be positive")
	}
	return nil
}

// maxTracked bounds the principals that one window remembers; beyond it further
// ones share one count.
const maxTracked = 100_000

// Limiter counts. It is safe for concurrent use; counts are this process's own.
type Limiter struct {
	config Config
	now    func() time.Time

	mu     sync.Mutex
	window int64
	counts map[key]int
}

type key struct {
	principal string
	class     meshv1.RateClass
}

// New makes a limiter. now nil means time.Now.
func New(config Config, now func() time.Time) *Limiter {
	if now == nil {
		now = time.Now
	}
	return &Limiter{config: config, now: now, counts: make(map[key]int)}
}

// State is where a principal stands within its window.
type State struct {
	// Limit is how many calls a window allows; 0 means no limit, and the other
	// fields then mean nothing.
	Limit int
	// Remaining is how many are left.
	Remaining int
	// Reset is how long until the window ends.
	Reset time.Duration
}

// Allow counts one call. A call over the limit is RATE_LIMITED with the time
// until the window ends, and is not counted.
func (l *Limiter) Allow(principal string, class meshv1.RateClass) (State, error) {
	limit := l.limit(class)
	if limit == 0 {
		return State{}, nil
	}
	now := l.now().UnixNano()
	window := now / int64(l.config.Window)
	reset := time.Duration((window+1)*int64(l.config.Window) - now)

	l.mu.Lock()
	defer l.mu.Unlock()
	// A call that read the clock before a window's end and comes here after it
	// counts in the next one; a clock that was set back begins anew.
	if window != l.window && window != l.window-1 {
		l.window = window
		clear(l.counts)
	}
	k := key{principal, class}
	if _, known := l.counts[k]; !known && len(l.counts) >= maxTracked {
		k.principal = ""
	}
	if l.counts[k] >= limit {
		seconds := int((reset + time.Second - 1) / time.Second)
		return State{Limit: limit, Reset: reset}, fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_RATE_LIMITED,
			fmt.Sprintf("the limit of %d calls per %v is used up; try again in %d seconds", limit, l.config.Window, seconds),
			"rate_class", class.String(), "limit", strconv.Itoa(limit), "reset_seconds", strconv.Itoa(seconds),
		).WithRetryAfter(reset)
	}
	l.counts[k]++
	return State{Limit: limit, Remaining: limit - l.counts[k], Reset: reset}, nil
}

func (l *Limiter) limit(class meshv1.RateClass) int {
	switch class {
	case meshv1.RateClass_RATE_CLASS_API:
		return l.config.API
	case meshv1.RateClass_RATE_CLASS_GPT:
		return l.config.GPT
	}
	return 0
}
