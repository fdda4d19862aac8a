package route

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
)

// What the parts of a turn count, in tokens, where their text does not tell.
const (
	imageTokens   = 1000
	audioTokens   = 1500
	fileTokens    = 3000
	messageTokens = 4
	// spareOutput is kept for the answer where the turn sets no bound.
	spareOutput = 1024
)

// Features are what a choice is made by.
type Features struct {
	// Input is the estimate of the prompt's tokens, MaxOutput the turn's own
	// bound or 0, Output the estimate of the answer's tokens.
	Input, MaxOutput, Output int64
	// Required are capabilities without which the turn cannot be answered,
	// Wanted those that would help.
	Required, Wanted []gptv1.Capability
	// Need is how capable the model should be, 0 to 1.
	Need float64
	// Class is the kind and complexity of the work, for what was observed of
	// such work. Empty where unknown.
	Class string
	// Complexity is "simple", "medium", "complex", or empty where unknown.
	Complexity string
	// Messages is how many messages there are.
	Messages int
}

// Read reads a turn. It must have its typed half.
func Read(turn *conversationv1.Turn) Features {
	f := Features{MaxOutput: turn.GetMaxOutputTokens(), Messages: len(turn.GetMessages())}
	need := func(capability gptv1.Capability) {
		if !slices.Contains(f.Required, capability) {
			f.Required = append(f.Required, capability)
		}
	}
	if turn.GetHasTools() || len(turn.GetTools()) > 0 {
		need(gptv1.Capability_CAPABILITY_TOOLS)
	}
	for _, tool := range turn.GetTools() {
		f.Input += messageTokens + tokens(tool.GetName()) + tokens(tool.GetDescription()) + tokens(tool.GetParametersJson())
	}
	if turn.GetResponseFormat().GetKind() == conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA {
		need(gptv1.Capability_CAPABILITY_JSON_SCHEMA)
		f.Input += tokens(turn.GetResponseFormat().GetSchemaJson())
	}
	if reasons(turn.GetReasoning()) {
		need(gptv1.Capability_CAPABILITY_REASONING)
	}
	if turn.Suffix != nil {
		need(gptv1.Capability_CAPABILITY_FILL_IN_MIDDLE)
		f.Input += tokens(turn.GetSuffix())
	}
	for _, m := range turn.GetMessages() {
		f.Input += messageTokens
		f.parts(m.GetParts(), need)
	}
	f.Need, f.Output = f.guess(), f.expect("")
	return f
}

// parts counts and reads parts, those within tool results too.
func (f *Features) parts(parts []*conversationv1.ContentPart, need func(gptv1.Capability)) {
	for _, part := range parts {
		switch kind := part.GetKind().(type) {
		case *conversationv1.ContentPart_Text:
			f.Input += tokens(kind.Text)
		case *conversationv1.ContentPart_Refusal:
			f.Input += tokens(kind.Refusal)
		case *conversationv1.ContentPart_Image:
			f.Input += imageTokens
			need(gptv1.Capability_CAPABILITY_VISION)
		case *conversationv1.ContentPart_Audio:
			f.Input += audioTokens
			need(gptv1.Capability_CAPABILITY_AUDIO)
		case *conversationv1.ContentPart_File:
			f.Input += fileTokens
			need(gptv1.Capability_CAPABILITY_FILES)
		case *conversationv1.ContentPart_ToolCall:
			f.Input += tokens(kind.ToolCall.GetName()) + tokens(kind.ToolCall.GetArgumentsJson())
		case *conversationv1.ContentPart_ToolResult:
			f.parts(kind.ToolResult.GetParts(), need)
		}
	}
}

// reasons says whether a turn asks for reasoning.
func reasons(r *conversationv1.ReasoningOptions) bool {
	if r == nil || r.Enabled != nil && !r.GetEnabled() {
		return false
	}
	switch strings.ToLower(r.GetEffort()) {
	case "", "none", "minimal":
		return r.GetEnabled() || r.GetBudgetTokens() > 0
	}
	return true
}

// guess is the need where no classifier speaks: middling, more for long
// prompts, tools and reasoning, less for a few words.
func (f *Features) guess() float64 {
	need := 0.5
	switch {
	case f.Input <= 8 && len(f.Required) == 0:
		need = 0.3
	case f.Input > 8000:
		need = 0.6
	}
	if slices.Contains(f.Required, gptv1.Capability_CAPABILITY_TOOLS) {
		need += 0.05
	}
	if slices.Contains(f.Required, gptv1.Capability_CAPABILITY_REASONING) {
		need += 0.15
	}
	return need
}

// needs are the needs of the complexities.
var needs = map[string]float64{"simple": 0.3, "medium": 0.52, "complex": 0.75}

// Work is what a classifier said of a turn.
type Work struct {
	TaskType, Complexity string
	// Confidence is how sure it is of the complexity, 0 to 1.
	Confidence float64
	// Strong is how likely a weak model answers wrong; Gap how much better a
	// strong one is expected to do, -1 to 1. NaN where it did not say.
	Strong, Gap float64
}

// Need by the expected gap: what everybody answers right needs little; where
// every third answer is right of the strong model alone, much is needed. Found
// by "gptmesh routing measure" on rated answers; see docs/routing.md.
const (
	needOfNoGap = 0.3
	needPerGap  = 1.8
)

// Classify takes in what a classifier said.
func (f *Features) Classify(w Work) {
	f.Complexity, f.Class = w.Complexity, w.TaskType+"/"+w.Complexity
	guess := f.guess()
	if n, ok := needs[w.Complexity]; ok {
		sure := clamp(w.Confidence, 0.3, 1)
		f.Need = sure*n + (1-sure)*guess
	}
	switch {
	case !math.IsNaN(w.Gap):
		// The gap speaks of need itself; complexity only of the work.
		f.Need = clamp(0.15*f.Need+0.85*(needOfNoGap+needPerGap*clamp(w.Gap, 0, 0.5)), 0, 1)
	case !math.IsNaN(w.Strong):
		f.Need = 0.4*f.Need + 0.6*(0.3+0.5*clamp(w.Strong, 0, 1))
	}
	if slices.Contains(f.Required, gptv1.Capability_CAPABILITY_REASONING) {
		f.Need = max(f.Need, 0.6)
	}
	f.Output = f.expect(w.Complexity)
}

// expect is how long an answer is likely to be.
func (f *Features) expect(complexity string) int64 {
	out := int64(500)
	switch complexity {
	case "simple":
		out = 250
	case "complex":
		out = 1200
	}
	if f.MaxOutput > 0 {
		out = min(out, f.MaxOutput)
	}
	return out
}

// room is how many tokens of context the turn takes.
func (f *Features) room() int64 {
	if f.MaxOutput > 0 {
		return f.Input + min(f.MaxOutput, 4*spareOutput)
	}
	return f.Input + spareOutput
}

// tokens estimates the tokens of a text: a quarter of its letters in Latin
// script, more elsewhere.
func tokens(text string) int64 {
	if text == "" {
		return 0
	}
	runes := utf8.RuneCountInString(text)
	wide := len(text) - runes // bytes beyond the first of each rune
	return int64((runes+3)/4 + wide/3)
}
