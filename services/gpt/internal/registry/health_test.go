package registry

import (
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/upstream"
)

func TestQuota(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		header upstream.Header
		tokens int64
		want   time.Duration // 0: may come
	}{
		"nothing said": {upstream.Header{{Name: "Content-Type", Value: "text/event-stream"}}, 10, 0},
		"OpenAI, requests used up": {upstream.Header{
			{Name: "X-Ratelimit-Remaining-Requests", Value: "0"}, {Name: "X-Ratelimit-Reset-Requests", Value: "1m30s"}}, 10, 90 * time.Second},
		"OpenAI, tokens too few": {upstream.Header{
			{Name: "x-ratelimit-remaining-requests", Value: "59"}, {Name: "x-ratelimit-remaining-tokens", Value: "100"},
			{Name: "x-ratelimit-reset-tokens", Value: "20ms"}}, 101, 20 * time.Millisecond},
		"OpenAI, tokens enough": {upstream.Header{
			{Name: "x-ratelimit-remaining-tokens", Value: "100"}, {Name: "x-ratelimit-reset-tokens", Value: "20ms"}}, 100, 0},
		"Anthropic": {upstream.Header{
			{Name: "Anthropic-Ratelimit-Requests-Remaining", Value: "0"},
			{Name: "Anthropic-Ratelimit-Requests-Reset", Value: "2026-11-28T12:00:07Z"}}, 1, 7 * time.Second},
		"Anthropic, the lesser of two": {upstream.Header{
			{Name: "Anthropic-Ratelimit-Tokens-Remaining", Value: "9000"}, {Name: "Anthropic-Ratelimit-Input-Tokens-Remaining", Value: "5"},
			{Name: "Anthropic-Ratelimit-Input-Tokens-Reset", Value: "2026-11-28T12:00:03Z"}}, 50, 3 * time.Second},
		"seconds": {upstream.Header{
			{Name: "X-Ratelimit-Remaining-Requests", Value: "0"}, {Name: "X-Ratelimit-Reset-Requests", Value: "2.5"}}, 1, 2500 * time.Millisecond},
		"a claim of a year": {upstream.Header{
			{Name: "X-Ratelimit-Remaining-Requests", Value: "0"}, {Name: "X-Ratelimit-Reset-Requests", Value: "8760h"}}, 1, time.Hour},
		"nonsense": {upstream.Header{
			{Name: "X-Ratelimit-Remaining-Requests", Value: "none"}, {Name: "X-Ratelimit-Reset-Requests", Value: "soon"}}, 1, 0},
		"used up and already reset": {upstream.Header{
			{Name: "Anthropic-Ratelimit-Requests-Remaining", Value: "0"},
			{Name: "Anthropic-Ratelimit-Requests-Reset", Value: "2026-11-28T11:59:00Z"}}, 1, 0},
	} {
		var q Quota
		q.Read(c.header, now)
		until, _ := q.Avoid(c.tokens, now)
		got := time.Duration(0)
		if !until.IsZero() {
			got = until.Sub(now)
		}
		if got != c.want {
			t.Errorf("%s: avoided for %v, want %v", name, got, c.want)
		}
	}
	var q Quota
	q.Read(upstream.Header{{Name: "X-Ratelimit-Remaining-Requests", Value: "2"}, {Name: "X-Ratelimit-Reset-Requests", Value: "60s"}}, now)
	q.Take(1)
	q.Take(1)
	if until, _ := q.Avoid(1, now); until.IsZero() {
		t.Error("two calls took two requests, and a third may come")
	}
	q = Quota{}
	q.SetAside(now.Add(time.Second), "limited")
	if _, why := q.Avoid(1, now); why != "limited" {
		t.Errorf("set aside: %q", why)
	}
	if until, _ := q.Avoid(1, now.Add(2*time.Second)); !until.IsZero() {
		t.Error("the time is over")
	}
}

func TestLatency(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	var l Latency
	if l.Average(now) != 0 || l.Quantile(.95) != 0 {
		t.Error("it knows something already")
	}
	l.Observe(100*time.Millisecond, now)
	l.Observe(time.Second, now)
	if got := l.Average(now); got != time.Second {
		t.Errorf("a peak counts at once: %v", got)
	}
	l.Observe(100*time.Millisecond, now)
	if got := l.Average(now); got < 900*time.Millisecond {
		t.Errorf("a quick answer wiped the peak out: %v", got)
	}
	for i := range 60 {
		l.Observe(100*time.Millisecond, now.Add(time.Duration(i+1)*time.Second))
	}
	if got := l.Average(now.Add(time.Minute)); got > 120*time.Millisecond {
		t.Errorf("the peak does not fade: %v", got)
	}
	if got := l.Quantile(.5); got != 100*time.Millisecond {
		t.Errorf("median %v", got)
	}
	if got := l.Quantile(.99); got != time.Second {
		t.Errorf("99th percentile %v", got)
	}
	l.Penalize(time.Millisecond, now.Add(time.Minute))
	if got := l.Average(now.Add(time.Minute)); got < time.Second {
		t.Errorf("failing fast looks like %v", got)
	}
}
