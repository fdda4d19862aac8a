// Package postprocess changes an answer on its way to the client: reasoning
// kept apart or stripped, JSON taken out and checked, markdown removed, text
// redacted or blocked.
//
// It works on typed events. Reasoning is handled as it streams, tags split over
// chunks included. Every other rule must see the whole text: text, refusals,
// tool calls and ends of choices are then held back and come with the end, in
// the order in which the model gave them. Reasoning is held back only where
// redactions are set, since they search it too. Arguments of tool calls are
// never touched.
//
// Log probabilities survive only where a piece of text passes unchanged.
package postprocess

import (
	"fmt"
	"regexp"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/response/internal/jsonschema"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// Rules are the compiled options of one answer.
type Rules struct {
	format     responsev1.PostProcessing_Format
	reasoning  responsev1.PostProcessing_Reasoning
	schema     *jsonschema.Schema // nil: any JSON
	redactions []redaction
}

type redaction struct {
	name, replacement string
	pattern           *regexp.Regexp
	block             bool
}

// Compile reads options. It is nil where they change nothing. The error is a
// fault that names the field.
func Compile(options *responsev1.PostProcessing) (*Rules, error) {
	if options == nil {
		return nil, nil
	}
	r := &Rules{format: options.GetFormat(), reasoning: options.GetReasoning()}
	if schema := options.GetJsonSchema(); schema != "" {
		if r.format != responsev1.PostProcessing_FORMAT_JSON {
			return nil, fault.InvalidField("post_processing.json_schema", "goes with FORMAT_JSON only")
		}
		var err error
		if r.schema, err = jsonschema.Compile(schema); err != nil {
			return nil, fault.InvalidField("post_processing.json_schema", err.Error())
		}
	}
	for i, rule := range options.GetRedactions() {
		pattern, err := regexp.Compile(rule.GetPattern())
		if err != nil {
			return nil, fault.InvalidField(fmt.Sprintf("post_processing.redactions[%d].pattern", i), "not a regular expression in RE2 syntax")
		}
		replacement := rule.GetReplacement()
		if replacement == "" {
			replacement = "[redacted]"
		}
		r.redactions = append(r.redactions, redaction{
			name: rule.GetName(), replacement: replacement, pattern: pattern,
			block: rule.GetAction() == responsev1.RedactionRule_ACTION_BLOCK,
		})
	}
	if r.reasoning == responsev1.PostProcessing_REASONING_UNSPECIFIED && !r.whole() {
		return nil, nil
	}
	return r, nil
}

// whole says that the rules must see the whole text.
func (r *Rules) whole() bool {
	return r.format == responsev1.PostProcessing_FORMAT_PLAIN || r.format == responsev1.PostProcessing_FORMAT_JSON || len(r.redactions) > 0
}

// Pipeline is the rules at work on one answer. One goroutine uses it.
type Pipeline struct {
	rules     *Rules
	splitters map[int32]*splitter
	held      wire.Assembler
	thought   bool
}

// Result is what the rules found.
type Result struct {
	// JSON is the JSON of choice 0 with FORMAT_JSON.
	JSON string
	// Redactions are the rules that were hit, in order.
	Redactions []*responsev1.RedactionHit
}

// New returns a pipeline that holds back at most maxBytes.
func (r *Rules) New(maxBytes int) *Pipeline {
	return &Pipeline{rules: r, splitters: map[int32]*splitter{}, held: wire.Assembler{MaxBytes: maxBytes}}
}

// Thought says that the model gave reasoning, whatever became of it.
func (p *Pipeline) Thought() bool { return p.thought }

// Take takes events, none of them terminal, and returns what is to be passed
// on now. The events are borrowed; those returned may be among them. The error
// is TOO_LARGE where too much must be held back.
func (p *Pipeline) Take(events []*conversationv1.Event) ([]*conversationv1.Event, error) {
	split := p.split(nil, events)
	if !p.rules.whole() {
		return split, nil
	}
	out := split[:0]
	for _, event := range split {
		switch event.GetKind().(type) {
		case *conversationv1.Event_Started, *conversationv1.Event_Usage:
			out = append(out, event)
			continue
		case *conversationv1.Event_Reasoning:
			if len(p.rules.redactions) == 0 {
				out = append(out, event)
				continue
			}
		}
		if err := p.held.Add(event); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// split does the part that streams: reasoning.
func (p *Pipeline) split(out, events []*conversationv1.Event) []*conversationv1.Event {
	for _, event := range events {
		switch kind := event.GetKind().(type) {
		case *conversationv1.Event_Reasoning:
			p.thought = true
			if p.rules.reasoning != responsev1.PostProcessing_REASONING_STRIP {
				out = append(out, event)
			}
		case *conversationv1.Event_Text:
			if p.rules.reasoning == responsev1.PostProcessing_REASONING_UNSPECIFIED {
				out = append(out, event)
				continue
			}
			s := p.splitter(kind.Text.GetChoice())
			if s.transparent(kind.Text.GetText()) {
				s.spoken = s.spoken || strings.TrimSpace(kind.Text.GetText()) != ""
				out = append(out, event)
				continue
			}
			out = p.pieces(out, kind.Text.GetChoice(), s.take(kind.Text.GetText()))
		case *conversationv1.Event_ChoiceFinished:
			if s := p.splitters[kind.ChoiceFinished.GetChoice()]; s != nil {
				out = p.pieces(out, kind.ChoiceFinished.GetChoice(), s.end())
			}
			out = append(out, event)
		default:
			out = append(out, event)
		}
	}
	return out
}

func (p *Pipeline) splitter(choice int32) *splitter {
	s := p.splitters[choice]
	if s == nil {
		s = &splitter{}
		p.splitters[choice] = s
	}
	return s
}

func (p *Pipeline) pieces(out []*conversationv1.Event, choice int32, pieces []piece) []*conversationv1.Event {
	for _, piece := range pieces {
		switch {
		case !piece.thought:
			out = append(out, &conversationv1.Event{Kind: &conversationv1.Event_Text{
				Text: &conversationv1.TextDelta{Choice: choice, Text: piece.text},
			}})
		case p.rules.reasoning == responsev1.PostProcessing_REASONING_KEEP:
			p.thought = true
			out = append(out, &conversationv1.Event{Kind: &conversationv1.Event_Reasoning{
				Reasoning: &conversationv1.ReasoningDelta{Choice: choice, Text: piece.text},
			}})
		default:
			p.thought = true
		}
	}
	return out
}

// End returns what was held back, changed by the rules, for an answer that the
// model has finished. The error is a fault, BLOCKED or INVALID_JSON_ANSWER;
// nothing of what was held back may be passed on then. Result holds the hits
// in either case.
func (p *Pipeline) End() ([]*conversationv1.Event, Result, error) {
	var out []*conversationv1.Event
	for choice, s := range p.splitters { // those whose choice never finished
		out = p.pieces(out, choice, s.end())
	}
	if !p.rules.whole() {
		return out, Result{}, nil
	}
	if err := p.held.Add(out...); err != nil {
		return nil, Result{}, err
	}
	answer := p.held.Answer()
	result, err := p.redact(answer)
	if err != nil {
		return nil, result, err
	}
	for i := range answer.Choices {
		choice := &answer.Choices[i]
		switch p.rules.format {
		case responsev1.PostProcessing_FORMAT_JSON:
			text, err := p.extract(choice)
			if err != nil {
				return nil, result, err
			}
			if choice.Index == 0 {
				result.JSON = text
			}
		case responsev1.PostProcessing_FORMAT_PLAIN:
			for _, part := range choice.Message.GetParts() {
				if kind, ok := part.GetKind().(*conversationv1.ContentPart_Text); ok {
					rewrite(choice, &kind.Text, Plain(kind.Text))
				}
			}
		}
	}
	answer.Usage, answer.Failure, answer.Finished = nil, nil, true
	out = nil
	for _, event := range wire.EventsOf(answer) {
		if event.GetStarted() == nil && !wire.Terminal(event) {
			out = append(out, event)
		}
	}
	return out, result, nil
}

// rewrite replaces a text of choice; its log probabilities go where it
// changes.
func rewrite(choice *wire.Choice, text *string, changed string) {
	if *text != changed {
		*text = changed
		choice.Logprobs, choice.RefusalLogprobs = nil, nil
	}
}

func (p *Pipeline) redact(answer *wire.Answer) (Result, error) {
	var result Result
	for i := range p.rules.redactions {
		rule, count := &p.rules.redactions[i], 0
		for c := range answer.Choices {
			choice := &answer.Choices[c]
			for _, part := range choice.Message.GetParts() {
				var text *string
				switch kind := part.GetKind().(type) {
				case *conversationv1.ContentPart_Text:
					text = &kind.Text
				case *conversationv1.ContentPart_Refusal:
					text = &kind.Refusal
				case *conversationv1.ContentPart_Reasoning:
					text = &kind.Reasoning.Text
				default:
					continue
				}
				changed, hits := rule.apply(*text)
				count += hits
				if hits > 0 {
					rewrite(choice, text, changed)
					if kind, ok := part.GetKind().(*conversationv1.ContentPart_Reasoning); ok {
						kind.Reasoning.Signature = "" // it vouched for other words
					}
				}
			}
		}
		if count == 0 {
			continue
		}
		result.Redactions = append(result.Redactions, &responsev1.RedactionHit{Name: rule.name, Count: int32(count)})
		if rule.block {
			return result, fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_BLOCKED,
				fmt.Sprintf("the answer was held back by the rule %q", rule.name), "rule", rule.name)
		}
	}
	return result, nil
}

// apply replaces every hit that is not empty.
func (r *redaction) apply(text string) (string, int) {
	var out strings.Builder
	from, hits := 0, 0
	for _, span := range r.pattern.FindAllStringIndex(text, -1) {
		if span[0] == span[1] {
			continue
		}
		out.WriteString(text[from:span[0]])
		out.WriteString(r.replacement)
		from = span[1]
		hits++
	}
	if hits == 0 {
		return text, 0
	}
	out.WriteString(text[from:])
	return out.String(), hits
}

// extract puts the JSON of a choice in the place of its text. A choice that
// holds no text but tool calls or a refusal is left as it is.
func (p *Pipeline) extract(choice *wire.Choice) (string, error) {
	var text strings.Builder
	other := false
	for _, part := range choice.Message.GetParts() {
		switch kind := part.GetKind().(type) {
		case *conversationv1.ContentPart_Text:
			text.WriteString(kind.Text)
		case *conversationv1.ContentPart_ToolCall, *conversationv1.ContentPart_Refusal:
			other = true
		}
	}
	if other && strings.TrimSpace(text.String()) == "" {
		return "", nil
	}
	found, err := ExtractJSON(text.String(), p.rules.schema)
	if err != nil {
		return "", fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_INVALID_JSON_ANSWER,
			"the answer does not hold the JSON that was demanded: "+err.Error(), "detail", err.Error())
	}
	if found == text.String() {
		return found, nil
	}
	var parts []*conversationv1.ContentPart
	placed := false
	for _, part := range choice.Message.GetParts() {
		if _, ok := part.GetKind().(*conversationv1.ContentPart_Text); ok {
			if placed {
				continue
			}
			placed = true
			part = &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Text{Text: found}}
		}
		parts = append(parts, part)
	}
	message := proto.CloneOf(choice.Message)
	message.Parts = parts
	choice.Message, choice.Logprobs = message, nil
	return found, nil
}
