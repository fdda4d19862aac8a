package gpt_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt"
)

// A call whose time runs out in the queue says so: the provider was not asked.
func TestTimeRunsOutInTheQueue(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{}, 2)
	r := start(t, setup{
		config: func(c *gpt.Config) { c.Concurrency.MaxRunning, c.Concurrency.LeastRunning = 1, 1 },
		env: openai(t, script(func(_ http.ResponseWriter, r *http.Request) {
			reached <- struct{}{}
			<-r.Context().Done()
		})),
	})
	first, leave := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.generate(first, ask("m"))
	}()
	<-reached

	for limit := 50 * time.Millisecond; ; limit *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		got := r.generate(ctx, ask("m"))
		cancel()
		f := fault.From(got.err)
		if got.reason() == "DEADLINE_EXCEEDED" && f.Metadata["queued"] == "" && limit < 20*time.Second {
			continue // the time had run out before
		}
		if got.reason() != "DEADLINE_EXCEEDED" || f.Metadata["queued"] != "true" || !strings.Contains(f.Message, "waited for its turn at the provider openai") {
			t.Errorf("%s: %v", got.reason(), got.err)
		}
		break
	}
	leave()
	<-ended
	if len(reached) != 0 {
		t.Error("the provider was asked")
	}
	if len(r.attempts(t)) != 1 {
		t.Error("the ledger has a row of a call that was never made")
	}
}

// As many calls as the other rooms take by default reach a provider: none is
// kept waiting by the bound of this one.
func TestThousandsRunByDefault(t *testing.T) {
	t.Parallel()
	if bound := gpt.DefaultConfig().Concurrency.MaxRunning; bound < 10_000 {
		t.Errorf("%d calls may run at one provider", bound)
	}
}
