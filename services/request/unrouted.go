package request

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// maxNamed bounds the candidates that an error names.
const maxNamed = 8

// unanswered are the failures of a turn that no candidate could take.
var unanswered = []meshv1.ErrorReason{
	meshv1.ErrorReason_ERROR_REASON_NO_DEFAULT_MODEL, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND,
	meshv1.ErrorReason_ERROR_REASON_PROVIDER_NOT_CONFIGURED, meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE,
	meshv1.ErrorReason_ERROR_REASON_PROVIDER_REFUSED_KEY, meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED,
	meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR,
}

// unrouted makes an error speak of a policy's choice: a client that asked for
// "auto" named no model and no provider. It says who was considered, and why
// none of them answers. Other errors stay as they are.
func (r *run) unrouted(f *fault.Fault) *fault.Fault {
	d := r.request.GetDecision()
	if d.GetFeatures() == nil || r.sequence > 0 || !slices.Contains(unanswered, f.Reason) {
		return f
	}
	out := *f
	out.Metadata = maps.Clone(f.Metadata)
	asked := d.GetRequestedModel()
	if len(d.GetCandidates()) == 0 {
		out.Message = asked + ": there is no model to choose: no provider with models for chat is configured, or the policy considers none of theirs"
		return &out
	}
	var tried, refused []string
	down := false
	for _, c := range d.GetCandidates() {
		switch {
		case c.GetModel() == d.GetModel() || slices.Contains(r.joined.turn.GetFallbackModels(), c.GetModel()):
			tried = append(tried, c.GetModel())
		case c.GetEligible():
			refused = append(refused, c.GetModel()+" (not tried: the policy tries no more)")
		default:
			refused = append(refused, fmt.Sprintf("%s (%s)", c.GetModel(), c.GetReason()))
			t := r.s.router.known().Find(c.GetModel())
			down = down || t != nil && t.Down != ""
		}
	}
	var words []string
	if len(tried) > 0 {
		words = append(words, "tried "+some(tried)+": "+f.Message)
	}
	if len(refused) > 0 {
		words = append(words, "not chosen "+some(refused))
	}
	out.Message = asked + ": none of the candidates answers; " + strings.Join(words, "; ")
	if f.Reason == meshv1.ErrorReason_ERROR_REASON_NO_DEFAULT_MODEL && down {
		// Nothing is wrong with the request: it can be answered once they are back.
		out.Code, out.Reason = codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE
	}
	return &out
}

// some joins names, the first of many.
func some(names []string) string {
	if more := len(names) - maxNamed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), more)
	}
	return strings.Join(names, ", ")
}
