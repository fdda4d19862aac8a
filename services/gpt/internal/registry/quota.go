package registry

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gptmesh/gptmesh/pkg/upstream"
)

// Quota is what a provider said of the limits of a key: by Retry-After, by
// OpenAI's x-ratelimit-* and by Anthropic's anthropic-ratelimit-*. Its zero
// value knows nothing. It is safe for concurrent use.
type Quota struct {
	mu       sync.Mutex
	requests allowance
	tokens   allowance
	until    time.Time // set aside whatever is left
	why      string
}

// allowance is what is left of a limit until it is filled up.
type allowance struct {
	known bool
	left  int64
	reset time.Time
}

// Read takes in the headers of an answer. Most answers of most servers have
// none of them.
func (q *Quota) Read(header upstream.Header, now time.Time) {
	var requests, tokens allowance
	seen := false
	for i := range header {
		name := header[i].Name
		if len(name) < 20 || name[0]|0x20 != 'x' && name[0]|0x20 != 'a' {
			continue
		}
		value := header[i].Value
		switch strings.ToLower(name) {
		case "x-ratelimit-remaining-requests", "anthropic-ratelimit-requests-remaining":
			seen = requests.remaining(value) || seen
		case "x-ratelimit-remaining-tokens", "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-input-tokens-remaining":
			seen = tokens.remaining(value) || seen
		case "x-ratelimit-reset-requests", "anthropic-ratelimit-requests-reset":
			requests.resets(value, now)
		case "x-ratelimit-reset-tokens", "anthropic-ratelimit-tokens-reset", "anthropic-ratelimit-input-tokens-reset":
			tokens.resets(value, now)
		}
	}
	if !seen {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if requests.known {
		q.requests = requests
	}
	if tokens.known {
		q.tokens = tokens
	}
}

// remaining takes the least of what several headers say.
func (a *allowance) remaining(value string) bool {
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if err != nil {
		return false
	}
	if !a.known || n < a.left {
		a.left = n
	}
	a.known = true
	return true
}

// maxReset bounds what a header may claim.
const maxReset = time.Hour

// resets reads "1s", "6m0s", "20ms" as OpenAI writes them, seconds as others do,
// and moments as Anthropic does.
func (a *allowance) resets(value string, now time.Time) {
	value = strings.TrimSpace(value)
	var at time.Time
	if d, err := time.ParseDuration(value); err == nil {
		at = now.Add(d)
	} else if s, err := strconv.ParseFloat(value, 64); err == nil && s >= 0 && s < 1e9 {
		at = now.Add(time.Duration(s * float64(time.Second)))
	} else if moment, err := time.Parse(time.RFC3339, value); err == nil {
		at = moment
	} else {
		return
	}
	if limit := now.Add(maxReset); at.After(limit) {
		at = limit
	}
	if at.After(a.reset) {
		a.reset = at
	}
}

// SetAside keeps calls away until a moment: after a refusal.
func (q *Quota) SetAside(until time.Time, why string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if until.After(q.until) {
		q.until, q.why = until, why
	}
}

// Take counts a call of about so many tokens, until the next answer tells what
// is left.
func (q *Quota) Take(tokens int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.requests.left--
	q.tokens.left -= tokens
}

// Clear forgets a refusal: a call went well.
func (q *Quota) Clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.until = time.Time{}
}

// Avoid says until when a call of about so many tokens would better go
// elsewhere, and why. The zero time means that it may come now.
func (q *Quota) Avoid(tokens int64, now time.Time) (until time.Time, why string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.until.After(now) {
		return q.until, q.why
	}
	if q.requests.known && q.requests.left < 1 && q.requests.reset.After(now) {
		return q.requests.reset, "no requests left"
	}
	if q.tokens.known && q.tokens.left < max(tokens, 1) && q.tokens.reset.After(now) {
		return q.tokens.reset, "too few tokens left"
	}
	return time.Time{}, ""
}
