package responses

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/signer"
	"github.com/gptmesh/gptmesh/wire/internal/texttool"
	"github.com/gptmesh/gptmesh/wire/internal/toolcalls"
	"google.golang.org/protobuf/proto"
)

// EncodeTurn implements wire.Codec. Usage is always given, and no limit is
// demanded: WantUsage and DefaultMaxOutputTokens are not read. There are no
// quirks.
func (codec) EncodeTurn(turn *conversationv1.Turn, options wire.TurnOptions) (body []byte, lost []string, err error) {
	if raw := turn.GetRaw(); raw.GetWire() == own && len(raw.GetBody()) > 0 {
		if !bytes.Contains(raw.GetBody(), []byte(signer.Foreign)) {
			body, err = spliceTurn(turn, options)
			return body, nil, err
		}
		if turn, err = withoutForeign(turn); err != nil {
			return nil, nil, err
		}
	}
	if len(turn.GetMessages()) == 0 {
		return nil, nil, fault.InvalidField("turn.messages", "needs at least one message")
	}
	e := turnEncoder{turn: turn, options: options, client: turn.GetExtraWire(), custom: map[string]bool{}, texts: textTools(turn), dropped: dropped.List{Client: turn.GetExtraWire()}}
	if err := e.encode(); err != nil {
		return nil, nil, err
	}
	return e.B, e.dropped.Names, nil
}

// textTools are the names of the custom tools that came in this dialect.
func textTools(turn *conversationv1.Turn) map[string]bool {
	names := map[string]bool{}
	for _, tool := range turn.GetTools() {
		if turn.GetExtraWire() == own && tool.GetWireType() == texttool.WireType {
			names[tool.GetName()] = true
		}
	}
	return names
}

// withoutForeign decodes a raw body that may hold what another provider signed
// or encrypted. OpenAI would refuse it.
func withoutForeign(turn *conversationv1.Turn) (*conversationv1.Turn, error) {
	typed, err := codec{}.DecodeTurn(turn.GetRaw().GetBody())
	if err == nil && turn.MaxOutputTokens != nil {
		typed.MaxOutputTokens = turn.MaxOutputTokens
	}
	return typed, err
}

// spliceTurn keeps a raw body but for model, stream, store, and the limit of
// tokens where the head has another one.
func spliceTurn(turn *conversationv1.Turn, options wire.TurnOptions) ([]byte, error) {
	var h head
	body := turn.GetRaw().GetBody()
	if err := h.scan(body); err != nil {
		return nil, err
	}
	edits := []jsonscan.Edit{
		{At: h.members[atModel], Key: "model", Value: jsonscan.AppendString(nil, options.Model)},
		{At: h.members[atStream], Key: "stream", Value: strconv.AppendBool(nil, options.Stream)},
		{At: h.members[atStore], Key: "store", Value: []byte("false")},
	}
	if turn.MaxOutputTokens != nil {
		limit := int64(0)
		if h.given(atMaxOutputTokens) {
			var err error
			if limit, err = h.at(atMaxOutputTokens).Integer(); err != nil {
				return nil, err
			}
		}
		if limit != turn.GetMaxOutputTokens() {
			edits = append(edits, jsonscan.Edit{
				At: h.members[atMaxOutputTokens], Key: "max_output_tokens", Value: strconv.AppendInt(nil, turn.GetMaxOutputTokens(), 10),
			})
		}
	}
	out, err := jsonscan.Splice(nil, body, edits...)
	if err != nil {
		return nil, fault.Internal(err)
	}
	return out, nil
}

// turnEncoder encodes one typed turn.
type turnEncoder struct {
	writer
	turn    *conversationv1.Turn
	options wire.TurnOptions
	// client is the dialect of extra members.
	client  conversationv1.Wire
	dropped dropped.List
	written []string        // top-level members
	custom  map[string]bool // ids of calls of custom tools
	texts   map[string]bool // names of the custom tools that the provider is told of
}

func (e *turnEncoder) drop(field dropped.Field) { e.dropped.Add(field) }

// member begins a top-level member.
func (e *turnEncoder) member(name string) {
	e.Key(name)
	e.written = append(e.written, name)
}

func (e *turnEncoder) encode() error {
	e.B = make([]byte, 0, 1024)
	e.Open('{')
	e.member("model")
	e.Str(e.options.Model)
	for _, step := range []func() error{e.messages, e.tools, e.sampling, e.text, e.rest} {
		if err := step(); err != nil {
			return err
		}
	}
	e.Close('}')
	return nil
}

// messages writes instructions and input.
func (e *turnEncoder) messages() error {
	messages := e.turn.GetMessages()
	if toolcalls.LackIDs(messages) {
		messages = proto.CloneOf(e.turn).GetMessages()
		toolcalls.Join(messages)
	}
	if m := messages[0]; m.GetWireRole() == RoleInstructions && len(m.GetParts()) == 1 && m.GetExtraJson() == "" {
		if _, text := m.GetParts()[0].GetKind().(*conversationv1.ContentPart_Text); text {
			e.member("instructions")
			e.Str(m.GetParts()[0].GetText())
			messages = messages[1:]
		}
	}
	e.member("input")
	e.Open('[')
	for i, m := range messages {
		if err := e.message(fmt.Sprintf("messages[%d]", i), m); err != nil {
			return err
		}
	}
	e.Close(']')
	return nil
}

func (e *turnEncoder) tools() error {
	tools := e.turn.GetTools()
	begun := false
	for i, tool := range tools {
		path := fmt.Sprintf("tools[%d]", i)
		if tool.GetWireType() != "" && e.client != own {
			function := texttool.Function(tool)
			if function == nil {
				e.dropped.Below(dropped.AtTool, tool.GetWireType())
				continue
			}
			tool = function
		}
		if !begun {
			begun = true
			e.member("tools")
			e.Open('[')
		}
		if tool.GetWireType() != "" {
			if err := e.checked(path+".extra_json", tool.GetExtraJson()); err != nil {
				return err
			}
			continue
		}
		if err := e.tool(path, tool); err != nil {
			return err
		}
	}
	if begun {
		e.Close(']')
	}
	if begun || e.client == own {
		e.toolChoice()
	}
	return nil
}

func (e *turnEncoder) tool(path string, tool *conversationv1.Tool) error {
	e.Open('{')
	e.StrField("type", "function")
	e.StrField("name", tool.GetName())
	if tool.GetDescription() != "" {
		e.StrField("description", tool.GetDescription())
	}
	if tool.GetParametersJson() != "" {
		e.Key("parameters")
		if err := e.checked(path+".parameters_json", tool.GetParametersJson()); err != nil {
			return err
		}
	}
	switch {
	case tool.Strict != nil:
		e.TruthField("strict", tool.GetStrict())
	case e.client != own: // This dialect's default is another one.
		e.TruthField("strict", false)
	}
	e.extra(dropped.AtTool, tool.GetExtraJson())
	e.Close('}')
	return nil
}

func (e *turnEncoder) toolChoice() {
	choice := e.turn.GetToolChoice()
	if choice.GetMode() == conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NAMED {
		e.member("tool_choice")
		kind := "function"
		if e.texts[choice.GetName()] {
			kind = texttool.WireType
		}
		e.Open('{')
		e.StrField("type", kind)
		e.StrField("name", choice.GetName())
		e.Close('}')
	}
	for word, mode := range toolChoices {
		if mode == choice.GetMode() { // One word has it at most.
			e.member("tool_choice")
			e.Str(word)
		}
	}
	if e.turn.ParallelToolCalls != nil {
		e.member("parallel_tool_calls")
		e.Truth(e.turn.GetParallelToolCalls())
	}
}

func (e *turnEncoder) sampling() error {
	if e.turn.MaxOutputTokens != nil {
		e.member("max_output_tokens")
		e.Int(e.turn.GetMaxOutputTokens())
	}
	s := e.turn.GetSampling()
	if s != nil && s.Temperature != nil {
		e.member("temperature")
		e.Float(s.GetTemperature())
	}
	if s != nil && s.TopP != nil {
		e.member("top_p")
		e.Float(s.GetTopP())
	}
	if s != nil && s.TopLogprobs != nil {
		e.member("top_logprobs")
		e.Int(int64(s.GetTopLogprobs()))
	}
	for _, lost := range []struct {
		field dropped.Field
		set   bool
	}{
		{dropped.TopK, s != nil && s.TopK != nil}, {dropped.MinP, s != nil && s.MinP != nil}, {dropped.RepeatPenalty, s != nil && s.RepeatPenalty != nil},
		{dropped.PresencePenalty, s.GetPresencePenalty() != 0}, {dropped.FrequencyPenalty, s.GetFrequencyPenalty() != 0},
		{dropped.Seed, s != nil && s.Seed != nil}, {dropped.Stop, len(s.GetStop()) > 0}, {dropped.ChoiceCount, s.GetChoiceCount() > 1},
		{dropped.LogitBias, len(s.GetLogitBias()) > 0},
	} {
		if lost.set {
			e.drop(lost.field)
		}
	}
	return nil
}

// text writes the form of the answer.
func (e *turnEncoder) text() error {
	format := e.turn.GetResponseFormat()
	inner := e.below("text.")
	if format.GetKind() == conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_UNSPECIFIED && len(inner) == 0 {
		return nil
	}
	e.member("text")
	e.Open('{')
	switch format.GetKind() {
	case conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_TEXT:
		e.RawField("format", `{"type":"text"}`)
	case conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_OBJECT:
		e.RawField("format", `{"type":"json_object"}`)
	case conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA:
		e.Key("format")
		if err := e.schema(format); err != nil {
			return err
		}
	}
	e.members(inner)
	e.Close('}')
	return nil
}

func (e *turnEncoder) schema(format *conversationv1.ResponseFormat) error {
	e.Open('{')
	e.StrField("type", "json_schema")
	name := format.GetName()
	if name == "" {
		name = "answer" // The dialect demands one.
	}
	e.StrField("name", name)
	if format.GetDescription() != "" {
		e.StrField("description", format.GetDescription())
	}
	e.Key("schema")
	schema := format.GetSchemaJson()
	if schema == "" {
		schema = "{}"
	}
	if err := e.checked("response_format.schema_json", schema); err != nil {
		return err
	}
	if format.Strict != nil {
		e.TruthField("strict", format.GetStrict())
	}
	e.Close('}')
	return nil
}

// rest writes what is left: reasoning, user, include, stream, extra members.
func (e *turnEncoder) rest() error {
	if json := e.turn.GetExtraJson(); json != "" {
		if _, err := jsonscan.Scan([]byte(json), noKeys, nil); err != nil {
			return fault.InvalidField("turn.extra_json", "is not a JSON object").WithCause(err)
		}
	}
	e.reasoningOptions(e.turn.GetReasoning())
	if e.turn.GetUser() != "" {
		e.member("user")
		e.Str(e.turn.GetUser())
	}
	if e.turn.Suffix != nil {
		e.drop(dropped.Suffix)
	}
	if e.turn.GetRawPrompt() {
		e.drop(dropped.RawPrompt)
	}
	e.include()
	e.member("stream")
	e.Truth(e.options.Stream)
	e.member("store")
	e.Truth(false)
	e.extra(dropped.AtTurn, e.turn.GetExtraJson(), e.written...)
	return nil
}

func (e *turnEncoder) reasoningOptions(r *conversationv1.ReasoningOptions) {
	effort := r.GetEffort()
	if effort == "max" && e.client != own { // Ollama's word for the most.
		effort = "high"
	}
	if effort == "" && r != nil && r.Enabled != nil {
		e.drop(dropped.Thinking)
	}
	if r != nil && r.BudgetTokens != nil {
		e.drop(dropped.Budget)
	}
	inner := e.below("reasoning.")
	if effort == "" && len(inner) == 0 {
		if r != nil && e.client == own {
			e.member("reasoning")
			e.Raw("{}")
		}
		return
	}
	e.member("reasoning")
	e.Open('{')
	if effort != "" {
		e.StrField("effort", effort)
	}
	e.members(inner)
	e.Close('}')
}

// include asks for what the client wants to see. With reasoning that is its
// encrypted form too: the provider keeps nothing, and the next turn has to bring
// it back.
func (e *turnEncoder) include() {
	var words []string
	if e.client == own {
		forEachExtra(e.turn.GetExtraJson(), func(name, value string) {
			if name == "include" {
				if inside := strings.TrimSuffix(strings.TrimPrefix(value, "["), "]"); inside != "" {
					words = append(words, inside)
				}
			}
		})
	}
	if e.turn.GetSampling().GetLogprobs() {
		words = append(words, `"`+includeLogprobs+`"`)
	}
	const encrypted = `"reasoning.encrypted_content"`
	if e.turn.GetReasoning() != nil && !slices.ContainsFunc(words, func(s string) bool { return strings.Contains(s, encrypted) }) {
		words = append(words, encrypted)
	}
	if len(words) > 0 {
		e.member("include")
		e.Raw("[" + strings.Join(words, ",") + "]")
	} else if e.client == own {
		e.written = append(e.written, "include")
	}
}

// field is one member of extra_json.
type field struct{ name, json string }

// below are the extra members that stand below a member, "text.".
func (e *turnEncoder) below(prefix string) (fields []field) {
	if e.client != own {
		return nil
	}
	forEachExtra(e.turn.GetExtraJson(), func(name, value string) {
		if inner, ok := strings.CutPrefix(name, prefix); ok {
			fields = append(fields, field{inner, value})
			e.written = append(e.written, name)
		}
	})
	return fields
}

func (e *turnEncoder) members(fields []field) {
	for _, f := range fields {
		e.RawField(f.name, f.json)
	}
}
