package gemini

import (
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"strconv"
	"strings"
)

// leastBudget is the least that a model which always thinks can be held to, in
// tokens.
const leastBudget = 128

// budgets are what an effort lets a model think, in tokens: Google's own
// reading of OpenAI's efforts. Source:
// https://ai.google.dev/gemini-api/docs/openai#thinking, 2026-11.
var budgets = map[string]int64{"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}

// levels are the API's own words for an effort.
var levels = map[string]bool{"minimal": true, "low": true, "medium": true, "high": true}

// thinking is thinkingConfig, or "".
func (e *turnEncoder) thinking() string {
	r := e.turn.GetReasoning()
	if r == nil {
		return ""
	}
	off := r.Enabled != nil && !r.GetEnabled() || r.GetEffort() == "none"
	asked := off || r.GetEnabled() || r.GetBudgetTokens() > 0 || r.GetEffort() != ""
	switch {
	case !asked:
		return ""
	case e.quirk(quirkNoThinking):
		if !off {
			e.drop(dropped.OfReasoning(e.turn.GetReasoning()))
		}
		return ""
	case off && e.quirk(quirkThinkingLevel):
		e.drop(dropped.OfReasoning(e.turn.GetReasoning()))
		return `{"thinkingLevel":"low"}`
	case off && e.quirk(quirkThinkingAlways):
		e.drop(dropped.OfReasoning(e.turn.GetReasoning()))
		return `{"thinkingBudget":` + strconv.Itoa(leastBudget) + `}`
	case off:
		return `{"thinkingBudget":0}`
	}
	effort := strings.ToLower(r.GetEffort())
	budget, known := budgets[effort]
	if !known && effort != "" {
		e.drop(dropped.OfReasoning(e.turn.GetReasoning()))
		budget, effort = budgets["medium"], "medium"
	}
	if e.quirk(quirkThinkingLevel) || e.ours() && levels[effort] && r.GetBudgetTokens() <= 0 {
		return e.level(effort)
	}
	if r.GetBudgetTokens() > 0 {
		budget = r.GetBudgetTokens()
	}
	if budget == 0 {
		return `{"includeThoughts":true}`
	}
	return `{"thinkingBudget":` + strconv.FormatInt(budget, 10) + `,"includeThoughts":true}`
}

// level asks for a level; a budget becomes the level that would have it.
func (e *turnEncoder) level(effort string) string {
	if budget := e.turn.GetReasoning().GetBudgetTokens(); budget > 0 {
		e.drop(dropped.Budget)
		switch {
		case effort != "":
		case budget <= 2*budgets["low"]:
			effort = "low"
		case budget <= budgets["medium"]:
			effort = "medium"
		default:
			effort = "high"
		}
	}
	switch effort {
	case "":
		return `{"includeThoughts":true}`
	case "xhigh", "max":
		effort = "high"
	case "minimal": // Not every model has it.
		effort = "low"
		if e.ours() {
			effort = "minimal"
		}
	}
	return `{"thinkingLevel":"` + effort + `","includeThoughts":true}`
}
