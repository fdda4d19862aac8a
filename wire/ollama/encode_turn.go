package ollama

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"google.golang.org/grpc/codes"
)

const quirkThinkBool = "think_bool"

// Quirks are the names of those that this codec knows.
func Quirks() []string { return []string{quirkThinkBool} }

// EncodeTurn implements wire.Codec. With a raw half of this endpoint the body
// stays but for model, stream and the limit of tokens, which are written as
// options and head say; "name" is taken out, and limit and stop texts that stand
// outside of options go there. A body with content that is tolerated here and
// refused by Ollama (lists of parts, data URLs) is encoded anew.
// options.WantUsage changes nothing: Ollama always gives the usage.
func (c codec) EncodeTurn(turn *conversationv1.Turn, options wire.TurnOptions) ([]byte, []string, error) {
	if raw := turn.GetRaw(); raw.GetWire() == c.wire && len(raw.GetBody()) > 0 {
		h, err := scan(raw.GetBody())
		if err != nil {
			return nil, nil, err
		}
		if !h.tolerated(raw.GetBody()) {
			body, err := spliceTurn(raw.GetBody(), h, turn, options)
			return body, nil, err
		}
		typed, err := c.DecodeTurn(raw.GetBody())
		if err != nil {
			return nil, nil, err
		}
		typed.MaxOutputTokens = turn.MaxOutputTokens
		turn = typed
	}
	e := &turnEncoder{codec: c, turn: turn, options: options, dropped: dropped.List{Client: turn.GetExtraWire()}}
	if err := e.encode(); err != nil {
		return nil, nil, err
	}
	return e.w.B, e.dropped.Names, nil
}

// spliceTurn writes the members that the mesh acts on into a client's body.
func spliceTurn(body []byte, h *head, turn *conversationv1.Turn, options wire.TurnOptions) ([]byte, error) {
	edits := []jsonscan.Edit{
		{At: h.at[keyModel], Key: "model", Value: jsonscan.AppendString(nil, options.Model)},
		{At: h.at[keyStream], Key: "stream", Value: strconv.AppendBool(nil, options.Stream)},
		{At: h.at[keyName]}, {At: h.at[keyMaxOutputTokens]}, {At: h.at[keyStop]},
	}
	inner, err := spliceOptions(body, h, turn)
	if err != nil {
		return nil, err
	}
	if inner != nil {
		edits = append(edits, jsonscan.Edit{At: h.at[keyOptions], Key: "options", Value: inner})
	}
	out, err := jsonscan.Splice(nil, body, edits...)
	if err != nil {
		return nil, fault.Internal(err)
	}
	return out, nil
}

// spliceOptions returns the member options where it has to change: another
// limit of tokens than the head's, or a limit or stop texts that the client
// wrote beside it, where Ollama does not look.
func spliceOptions(body []byte, h *head, turn *conversationv1.Turn) ([]byte, error) {
	inner := []byte("{}")
	if h.at[keyOptions].Kind == jsonscan.Object {
		inner = h.at[keyOptions].Raw(body)
	}
	var room [2]jsonscan.Member
	at, err := jsonscan.Scan(inner, optionKeys, room[:0])
	if err != nil {
		return nil, jsonbody.ScanFault(err)
	}
	var edits []jsonscan.Edit
	has := int64(0)
	if limit := jsonbody.Whole(inner).Child(at[0]); !limit.IsNull() {
		if has, err = limit.Integer(); err != nil {
			return nil, err
		}
	}
	if want := turn.GetMaxOutputTokens(); want != max(has, 0) {
		edit := jsonscan.Edit{At: at[0], Key: "num_predict"}
		if want > 0 {
			edit.Value = strconv.AppendInt(nil, want, 10)
		}
		edits = append(edits, edit)
	}
	if empty(at[1], inner) && !empty(h.at[keyStop], body) {
		edits = append(edits, jsonscan.Edit{At: at[1], Key: "stop", Value: h.at[keyStop].Raw(body)})
	}
	if len(edits) == 0 {
		return nil, nil
	}
	out, err := jsonscan.Splice(nil, inner, edits...)
	if err != nil {
		return nil, fault.Internal(err)
	}
	return out, nil
}

// turnEncoder encodes one typed half.
type turnEncoder struct {
	codec
	turn    *conversationv1.Turn
	options wire.TurnOptions
	w       writer
	dropped dropped.List
}

func (e *turnEncoder) drop(field dropped.Field) { e.dropped.Add(field) }

func (e *turnEncoder) encode() error {
	e.w.Open('{')
	e.w.StrField("model", e.options.Model)
	if e.generate() {
		if err := e.prompt(); err != nil {
			return err
		}
	} else {
		e.messages()
		e.tools()
		if e.turn.Suffix != nil {
			e.drop(dropped.Suffix)
		}
		if e.turn.GetRawPrompt() {
			e.drop(dropped.RawPrompt)
		}
	}
	e.format()
	encodeOptions(&e.w, e.turn, e.extraOptions())
	e.w.Key("stream")
	e.w.Truth(e.options.Stream)
	e.think()
	e.logprobs()
	e.dropUnknown()
	if related(e.turn.GetExtraWire()) {
		e.w.Extra(e.turn.GetExtraJson(), e.skipExtra)
	}
	e.w.Close('}')
	return nil
}

// skipExtra tells which members of extra_json are not written: options are
// already there, and a chat has no use for what steers one prompt.
func (e *turnEncoder) skipExtra(name string) bool {
	if !e.generate() && (name == "template" || name == "context") {
		e.dropped.Below(dropped.AtTurn, name)
		return true
	}
	return name == "options"
}

// prompt writes the members of /api/generate.
func (e *turnEncoder) prompt() error {
	var system []string
	var user *conversationv1.Message
	for i, m := range e.turn.GetMessages() {
		switch {
		case m.GetRole() == conversationv1.Role_ROLE_SYSTEM:
			text, _ := e.content(m.GetParts())
			system = append(system, text)
		case m.GetRole() == conversationv1.Role_ROLE_USER && user == nil:
			user = m
		default:
			field := "messages." + strconv.Itoa(i)
			return fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED,
				field+": /api/generate takes one user message and no history", "field", field, "model", e.options.Model)
		}
	}
	prompt, images := e.content(user.GetParts())
	e.w.StrField("prompt", prompt)
	if e.turn.Suffix != nil {
		e.w.StrField("suffix", e.turn.GetSuffix())
	}
	if len(system) > 0 {
		e.w.StrField("system", strings.Join(system, "\n\n"))
	}
	if e.turn.GetRawPrompt() {
		e.w.Key("raw")
		e.w.Truth(true)
	}
	e.images(images)
	if len(e.turn.GetTools()) > 0 {
		e.drop(dropped.Tools)
	}
	return nil
}

func (e *turnEncoder) images(images []string) {
	if len(images) > 0 {
		e.w.Key("images")
		e.w.Strings(images)
	}
}

func (e *turnEncoder) format() {
	switch f := e.turn.GetResponseFormat(); f.GetKind() {
	case conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_OBJECT:
		e.w.StrField("format", "json")
	case conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA:
		if jsonObject(f.GetSchemaJson()) {
			e.w.RawField("format", f.GetSchemaJson())
		} else {
			e.w.StrField("format", "json")
			e.drop(dropped.ResponseFormat)
		}
	}
}

func (e *turnEncoder) think() {
	r := e.turn.GetReasoning()
	if r == nil {
		return
	}
	if r.BudgetTokens != nil {
		e.drop(dropped.Budget)
	}
	effort := r.GetEffort()
	switch effort {
	case "minimal":
		effort = "low"
	case "xhigh":
		effort = "high"
	}
	switch {
	case r.Enabled != nil && !r.GetEnabled(), effort == "none":
		e.w.RawField("think", "false")
	case effort == "low", effort == "medium", effort == "high", effort == "max":
		if slices.Contains(e.options.Quirks, quirkThinkBool) {
			e.w.RawField("think", "true")
			return
		}
		e.w.StrField("think", effort)
	case r.GetEnabled(), effort != "", r.GetBudgetTokens() > 0:
		e.w.RawField("think", "true")
		if effort != "" {
			e.drop(dropped.OfReasoning(e.turn.GetReasoning()))
		}
	}
}

func (e *turnEncoder) logprobs() {
	s := e.turn.GetSampling()
	if s.GetLogprobs() {
		e.w.RawField("logprobs", "true")
	}
	if s.GetTopLogprobs() > 0 {
		e.w.IntField("top_logprobs", int64(s.GetTopLogprobs()))
	}
}

// dropUnknown names what the dialect has no member for.
func (e *turnEncoder) dropUnknown() {
	t := e.turn
	if t.GetSampling().GetChoiceCount() > 1 {
		e.drop(dropped.ChoiceCount)
	}
	if len(t.GetSampling().GetLogitBias()) > 0 {
		e.drop(dropped.LogitBias)
	}
	if t.ParallelToolCalls != nil && !t.GetParallelToolCalls() {
		e.drop(dropped.ParallelToolCalls)
	}
	switch t.GetToolChoice().GetMode() {
	case conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED, conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NAMED:
		e.drop(dropped.ToolChoice)
	}
	if t.GetUser() != "" {
		e.drop(dropped.User)
	}
	if !related(t.GetExtraWire()) {
		e.dropped.Extra(dropped.AtTurn, t.GetExtraJson())
	}
}

// extraOptions is the object of options in extra_json.
func (e *turnEncoder) extraOptions() string {
	if !related(e.turn.GetExtraWire()) || e.turn.GetExtraJson() == "" {
		return ""
	}
	options := ""
	_ = jsonbody.Whole([]byte(e.turn.GetExtraJson())).Members(func(name string, m *jsonbody.Value) error {
		if name == "options" && m.Kind == jsonscan.Object {
			options = m.JSON()
		}
		return nil
	})
	return options
}

// nestedExtra writes or drops an extra_json below the top level.
func (e *turnEncoder) nestedExtra(place dropped.Place, object string, skip func(string) bool) {
	if related(e.turn.GetExtraWire()) {
		e.w.Extra(object, skip)
		return
	}
	e.dropped.Extra(place, object)
}

// content is the text and the pictures of parts; other parts are dropped.
func (e *turnEncoder) content(parts []*conversationv1.ContentPart) (text string, images []string) {
	var texts []string
	for _, part := range parts {
		switch kind := part.GetKind().(type) {
		case *conversationv1.ContentPart_Text:
			texts = append(texts, kind.Text)
		case *conversationv1.ContentPart_Refusal:
			texts = append(texts, kind.Refusal)
		case *conversationv1.ContentPart_Image:
			if len(kind.Image.GetData()) > 0 {
				images = append(images, base64.StdEncoding.EncodeToString(kind.Image.GetData()))
			} else {
				e.drop(dropped.Image)
			}
			if kind.Image.GetDetail() != "" {
				e.drop(dropped.ImageDetail)
			}
		case *conversationv1.ContentPart_Audio:
			e.drop(dropped.Audio)
		case *conversationv1.ContentPart_File:
			e.drop(dropped.File)
		case *conversationv1.ContentPart_Opaque:
			e.dropped.Below(dropped.AtPart, kind.Opaque.GetWireType())
		}
		e.dropped.Extra(dropped.AtPart, part.GetExtraJson())
	}
	return strings.Join(texts, "\n"), images
}

// jsonObject tells whether text is one JSON object.
func jsonObject(text string) bool {
	if !strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") {
		return false
	}
	_, err := jsonscan.Scan([]byte(text), noKeys, nil)
	return err == nil
}

var noKeys = jsonscan.NewKeys()

// jsonOneLine is JSON without line ends between its tokens.
func jsonOneLine(json string) string {
	if !strings.ContainsAny(json, "\r\n") {
		return json
	}
	b := []byte(json)
	for i, c := range b {
		if c == '\n' || c == '\r' {
			b[i] = ' '
		}
	}
	return string(bytes.TrimSpace(b))
}
