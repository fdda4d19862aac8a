package anthropic

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/signer"
)

// minBudget is the least that the API lets a model think, in tokens.
const minBudget = 1024

// thinking is how a turn's reasoning is asked for.
type thinking struct {
	raw      string // the client's own member
	disabled bool
	adaptive bool
	budget   int64
	effort   string // for output_config, with adaptive
}

func (t thinking) on() bool { return t.adaptive || t.budget > 0 }

func (t thinking) write(w *writer) {
	switch {
	case t.raw != "":
		w.RawField("thinking", t.raw)
	case t.disabled:
		w.RawField("thinking", `{"type":"disabled"}`)
	case t.adaptive:
		w.RawField("thinking", `{"type":"adaptive"}`)
	case t.budget > 0:
		w.Key("thinking")
		w.Open('{')
		w.StrField("type", "enabled")
		w.IntField("budget_tokens", t.budget)
		w.Close('}')
	}
}

// budgets are what an effort lets a model think, in tokens.
var budgets = map[string]int64{"minimal": minBudget, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 32768}

// planThinking decides how to ask for reasoning. It may raise the limit of
// tokens where the turn sets none.
func (e *turnEncoder) planThinking() thinking {
	r := e.turn.GetReasoning()
	switch {
	case e.kept.thinking != "":
		return thinking{raw: e.kept.thinking}
	case r == nil:
		return thinking{}
	case r.Enabled != nil && !r.GetEnabled(), r.GetEffort() == "none":
		return thinking{disabled: true}
	case r.Enabled == nil && r.GetBudgetTokens() <= 0 && (r.GetEffort() == "" || e.ours()):
		return thinking{} // An effort in this dialect does not ask to think.
	}
	budget, known := r.GetBudgetTokens(), true
	if budget <= 0 {
		if budget, known = budgets[r.GetEffort()]; !known {
			budget = budgets["medium"]
		}
		if !known && r.GetEffort() != "" {
			e.drop(dropped.OfReasoning(e.turn.GetReasoning()))
		}
	}
	if !e.mayThink() {
		e.drop(dropped.OfReasoning(e.turn.GetReasoning()))
		return thinking{}
	}
	if e.quirk(quirkAdaptiveThinking) {
		return e.adaptive(r)
	}
	return e.budgeted(r, budget)
}

func (e *turnEncoder) adaptive(r *conversationv1.ReasoningOptions) thinking {
	t := thinking{adaptive: true}
	if r.GetBudgetTokens() > 0 {
		e.drop(dropped.Budget)
	}
	switch effort := r.GetEffort(); effort {
	case "minimal":
		t.effort = "low"
	case "low", "medium", "high", "max":
		t.effort = effort
	case "xhigh":
		t.effort = "high"
	}
	return t
}

// budgeted fits the budget into the limit: the API wants it below, and at least
// minBudget. An effort leaves a quarter of the limit for the answer.
func (e *turnEncoder) budgeted(r *conversationv1.ReasoningOptions, budget int64) thinking {
	budget = max(budget, minBudget)
	if e.turn.GetMaxOutputTokens() <= 0 {
		e.limit += budget
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

// mayThink tells whether the API would let the model think in this turn.
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
			return !results || thought(messages[i])
		}
	}
	return true
}

// thought tells whether a message holds thoughts that the API takes back.
func thought(m *conversationv1.Message) bool {
	for _, part := range m.GetParts() {
		if r := part.GetReasoning(); signer.Anthropic(r.GetSignature()) != "" || r.GetRedacted() != "" {
			return true
		}
	}
	return false
}
