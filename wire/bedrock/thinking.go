package bedrock

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/signer"
)

const (
	// minBudget is the least that Claude is let think, in tokens.
	minBudget = 1024
	// defaultMaxTokens is what is left for the answer where the turn has no
	// limit: with a budget Claude needs one.
	defaultMaxTokens = 4096
)

// budgets are what an effort lets Claude think, in tokens.
var budgets = map[string]int64{"minimal": minBudget, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 32768}

// efforts are what Nova and others make of an effort.
var efforts = map[string]string{"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}

// thinking is how a turn's reasoning is asked for.
type thinking struct {
	budget   int64 // of Claude
	adaptive bool  // of Claude
	disabled bool  // of Claude
	nova     string
	effort   string
}

// on tells whether a Claude thinks.
func (t thinking) on() bool { return t.adaptive || t.budget > 0 }

func (t thinking) write(w *jsonbody.Writer) {
	switch {
	case t.disabled:
		w.RawField("thinking", `{"type":"disabled"}`)
	case t.adaptive:
		w.RawField("thinking", `{"type":"adaptive"}`)
		if t.effort != "" {
			w.RawField("output_config", `{"effort":"`+t.effort+`"}`)
		}
	case t.budget > 0:
		w.Key("thinking")
		w.Open('{')
		w.StrField("type", "enabled")
		w.IntField("budget_tokens", t.budget)
		w.Close('}')
	case t.nova != "":
		w.RawField("reasoningConfig", `{"type":"enabled","maxReasoningEffort":"`+t.nova+`"}`)
	case t.effort != "":
		w.StrField("reasoning_effort", t.effort)
	}
}

// planThinking decides how to ask for reasoning. It may raise the limit of
// tokens where the turn sets none.
func (e *turnEncoder) planThinking() thinking {
	r := e.turn.GetReasoning()
	off := r != nil && (r.Enabled != nil && !r.GetEnabled() || r.GetEffort() == "none")
	asked := r != nil && !off && (r.GetEnabled() || r.GetBudgetTokens() > 0 || r.GetEffort() != "")
	switch {
	case e.kept.fields != "":
		return thinking{}
	case off:
		return thinking{disabled: e.quirk(quirkClaude)} // Nova's and others' default is to think not or little.
	case !asked:
		return thinking{}
	}
	effort, known := efforts[r.GetEffort()]
	if !known {
		effort = "medium"
		if r.GetEffort() != "" {
			e.drop(dropped.OfReasoning(e.turn.GetReasoning()))
		}
	}
	switch {
	case e.quirk(quirkNovaReasoning):
		e.dropBudget(r)
		return thinking{nova: effort}
	case e.quirk(quirkReasoningEffort):
		e.dropBudget(r)
		return thinking{effort: effort}
	case !e.quirk(quirkClaude), !e.mayThink():
		e.drop(dropped.OfReasoning(e.turn.GetReasoning()))
		return thinking{}
	case e.quirk(quirkAdaptiveThinking):
		e.dropBudget(r)
		if r.GetEffort() == "" {
			effort = ""
		}
		return thinking{adaptive: true, effort: effort}
	}
	return e.budgeted(r)
}

func (e *turnEncoder) dropBudget(r *conversationv1.ReasoningOptions) {
	if r.GetBudgetTokens() > 0 {
		e.drop(dropped.Budget)
	}
}

// budgeted fits the budget into the limit: the API wants it below, and at least
// minBudget. An effort leaves a quarter of the limit for the answer.
func (e *turnEncoder) budgeted(r *conversationv1.ReasoningOptions) thinking {
	budget := r.GetBudgetTokens()
	if budget <= 0 {
		if budget = budgets[r.GetEffort()]; budget == 0 {
			budget = budgets["medium"]
		}
	}
	budget = max(budget, minBudget)
	if e.limit <= 0 {
		e.limit = budget + max(e.options.DefaultMaxOutputTokens-budget, defaultMaxTokens)
		return thinking{budget: budget}
	}
	most := e.limit - 1
	if r.GetBudgetTokens() <= 0 {
		most = max(e.limit/4*3, min(most, minBudget))
	}
	if budget = min(budget, most); budget < minBudget {
		e.drop(dropped.OfReasoning(e.turn.GetReasoning()))
		return thinking{}
	}
	return thinking{budget: budget}
}

// mayThink tells whether Claude would be let think in this turn.
func (e *turnEncoder) mayThink() bool {
	switch e.turn.GetToolChoice().GetMode() {
	case conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED, conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NAMED:
		return false
	}
	// Between a call and its result the thoughts that led to the call must stand.
	messages, results := e.turn.GetMessages(), false
	for i := len(messages) - 1; i >= 0; i-- {
		switch messages[i].GetRole() {
		case conversationv1.Role_ROLE_TOOL:
			results = true
		case conversationv1.Role_ROLE_ASSISTANT:
			if !results {
				return true
			}
			for _, part := range messages[i].GetParts() {
				if r := part.GetReasoning(); signer.Anthropic(r.GetSignature()) != "" || r.GetRedacted() != "" {
					return true
				}
			}
			return false
		}
	}
	return true
}
