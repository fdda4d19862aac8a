package request

import (
	"context"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/request/internal/route"
	"google.golang.org/grpc/codes"
)

// TestUnrouted has policies whose candidates all fail, or cannot be chosen: the
// error names them and says why.
func TestUnrouted(t *testing.T) {
	t.Parallel()
	one := 1
	gone := "p-small"
	s := &shop{}
	w := open(t, options{gpt: s, classifier: &byWords{}, config: func(cfg *Config) {
		cfg.Policies = map[string]route.Policy{
			"short": {Fallbacks: &one}, "tiny": {Candidates: []string{"small"}}, "none": {Candidates: []string{"x*"}},
			"seeing": {Candidates: []string{"mid"}, Filters: route.Filters{MinQuality: 0.99}},
		}
	}})
	fails := func(reason meshv1.ErrorReason, code codes.Code, words string) {
		w.response.Play(func(context.Context, *responsev1.GenerateRequest, func(...*conversationv1.Event) error) error {
			return fault.New(code, reason, words, "provider", "p")
		})
	}
	check := func(model string, code codes.Code, reason meshv1.ErrorReason, words ...string) {
		t.Helper()
		f := fault.From(w.submit(t.Context(), askFor(model, easy)).err)
		if f.Code != code || f.Reason != reason {
			t.Errorf("%s: got %v", model, f)
		}
		for _, word := range words {
			if !strings.Contains(f.Message, word) {
				t.Errorf("%s: %q is not in %q", model, word, f.Message)
			}
		}
	}
	unreachable, noDefault := meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE, meshv1.ErrorReason_ERROR_REASON_NO_DEFAULT_MODEL
	fails(unreachable, codes.Unavailable, "the provider p cannot be reached")
	check("auto", codes.Unavailable, unreachable, "auto: none of the candidates answers", "tried small, mid, large: the provider p cannot be reached")
	check("auto:short", codes.Unavailable, unreachable, "tried small, mid", "large (not tried")
	check("small", codes.Unavailable, unreachable, "the provider p cannot be reached")
	if f := fault.From(w.submit(t.Context(), askFor("small", easy)).err); strings.Contains(f.Message, "candidates") {
		t.Errorf("a named model: %q", f.Message)
	}
	fails(noDefault, codes.FailedPrecondition, "the request names no model")
	check("auto:none", codes.FailedPrecondition, noDefault, "auto:none: there is no model to choose")
	check("auto:seeing", codes.FailedPrecondition, noDefault, "not chosen mid (quality", "below the policy's least)")
	s.down.Store(&gone)
	// A reading that began before may come after.
	eventually(t, "the provider is known to be unavailable", func() bool {
		w.router.expire()
		w.router.catalogue.Store(nil)
		return fault.From(w.submit(t.Context(), askFor("auto:tiny", easy)).err).Reason == unreachable
	})
	check("auto:tiny", codes.Unavailable, unreachable, "not chosen small (its provider is unavailable")
	fails(meshv1.ErrorReason_ERROR_REASON_EMPTY_ANSWER, codes.Unavailable, "it said nothing")
	check("auto", codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_EMPTY_ANSWER, "it said nothing")
}
