package responses

import (
	"encoding/base64"
	"strconv"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/signer"
)

// States of items.
const (
	inProgress = "in_progress"
	completed  = "completed"
	incomplete = "incomplete"
)

// item writes an item of the assistant. One that is in progress has no content
// yet.
func (w *writer) item(it *item, status string) {
	switch it.kind {
	case opaqueItem:
		w.Raw(withID(it.json, it.id))
		return
	case callItem:
		w.call(it, status)
		return
	case reasoningItem:
		w.reasoning(it, status)
		return
	}
	w.Open('{')
	w.StrField("id", it.id)
	w.StrField("type", "message")
	w.StrField("status", status)
	w.StrField("role", "assistant")
	w.Key("content")
	w.Open('[')
	if status != inProgress {
		for _, part := range it.parts {
			w.part(part.refusal, part.text.String(), part.logprobs)
		}
	}
	w.Close(']')
	w.Close('}')
}

func (w *writer) call(it *item, status string) {
	kind, key := "function_call", "arguments"
	if it.called.custom {
		kind, key = "custom_tool_call", "input"
	}
	w.Open('{')
	w.StrField("id", it.id)
	w.StrField("type", kind)
	w.StrField("status", status)
	w.StrField("call_id", it.callID)
	w.StrField("name", it.called.name)
	if it.called.namespace != "" {
		w.StrField("namespace", it.called.namespace)
	}
	if status == inProgress {
		w.StrField(key, "")
	} else {
		it.settle()
		w.StrField(key, it.given())
	}
	w.Close('}')
}

func (w *writer) reasoning(it *item, status string) {
	w.Open('{')
	w.StrField("id", it.id)
	w.StrField("type", "reasoning")
	w.StrField("status", status) // OpenAI leaves it out at times, and xAI's provider of the AI SDK wants it
	w.Key("summary")
	w.Open('[')
	if status != inProgress && it.thought.Len() > 0 {
		w.summary(it.thought.String())
	}
	w.Close(']')
	switch {
	case status == inProgress:
	case it.redacted != "":
		w.StrField("encrypted_content", redactedMark+it.redacted)
	case it.signature != "":
		w.StrField("encrypted_content", signer.OpenAI.Show(it.signature))
	}
	w.Close('}')
}

// summary writes a part of a summary.
func (w *writer) summary(text string) {
	w.Open('{')
	w.StrField("type", "summary_text")
	w.StrField("text", text)
	w.Close('}')
}

// part writes a part of what a model said.
func (w *writer) part(refusal bool, text string, logprobs []*conversationv1.TokenLogprob) {
	w.Open('{')
	if refusal {
		w.StrField("type", "refusal")
		w.StrField("refusal", text)
		w.Close('}')
		return
	}
	w.StrField("type", "output_text")
	w.RawField("annotations", "[]")
	w.Key("logprobs")
	w.logprobs(logprobs)
	w.StrField("text", text)
	w.Close('}')
}

// withID is an item with its id set, whatever it had.
func withID(json, id string) string {
	body := []byte(json)
	found, err := jsonscan.Scan(body, jsonscan.NewKeys("id"), nil)
	if err != nil {
		return json
	}
	out, err := jsonscan.Splice(nil, body, jsonscan.Edit{At: found[0], Key: "id", Value: jsonscan.AppendString(nil, id)})
	if err != nil {
		return json
	}
	return string(out)
}

// Item is an item with its id.
type Item struct {
	// ID is the item's id.
	ID string
	// JSON is the item, its id included.
	JSON []byte
}

// ItemsOf are the items that a message consists of. Their ids follow from the
// message's id: those of an answer's message are the ids that the answer has.
func ItemsOf(m *conversationv1.Message) ([]Item, error) {
	switch m.GetRole() {
	case conversationv1.Role_ROLE_ASSISTANT:
		return assistantItems(m)
	case conversationv1.Role_ROLE_TOOL:
		return outputItems(m), nil
	}
	if m.GetWireRole() == roleItem && len(m.GetParts()) == 1 && m.GetParts()[0].GetOpaque() != nil {
		id := itemID(otherPrefix, m.GetId(), 0)
		return []Item{{id, []byte(withID(m.GetParts()[0].GetOpaque().GetJson(), id))}}, nil
	}
	role := "user"
	if m.GetRole() == conversationv1.Role_ROLE_SYSTEM {
		role = "system"
		if m.GetWireRole() == "developer" {
			role = m.GetWireRole()
		}
	}
	var w writer
	id := itemID(messagePrefix, m.GetId(), 0)
	w.Open('{')
	w.StrField("id", id)
	w.StrField("type", "message")
	w.StrField("status", completed)
	w.StrField("role", role)
	w.Key("content")
	w.inputParts(m.GetParts())
	w.Close('}')
	return []Item{{id, w.B}}, nil
}

func assistantItems(m *conversationv1.Message) ([]Item, error) {
	out := output{id: m.GetId()}
	for _, part := range m.GetParts() {
		if err := out.addPart(part); err != nil {
			return nil, err
		}
	}
	items := make([]Item, 0, len(out.items))
	for _, it := range out.items {
		var w writer
		w.item(it, completed)
		items = append(items, Item{it.id, w.B})
	}
	return items, nil
}

func outputItems(m *conversationv1.Message) (items []Item) {
	for i, part := range m.GetParts() {
		result := part.GetToolResult()
		if result == nil {
			continue
		}
		var w writer
		id := itemID(outputPrefix, m.GetId(), i)
		w.Open('{')
		w.StrField("id", id)
		w.StrField("type", "function_call_output")
		w.StrField("status", completed)
		w.StrField("call_id", result.GetToolCallId())
		w.Key("output")
		w.result(result.GetParts())
		w.Close('}')
		items = append(items, Item{id, w.B})
	}
	return items
}

// result writes what a call gave: a text where it is one.
func (w *writer) result(parts []*conversationv1.ContentPart) {
	if len(parts) == 0 {
		w.Str("")
		return
	}
	if _, text := parts[0].GetKind().(*conversationv1.ContentPart_Text); text && len(parts) == 1 {
		w.Str(parts[0].GetText())
		return
	}
	w.inputParts(parts)
}

// inputParts writes parts of what is not the assistant's.
func (w *writer) inputParts(parts []*conversationv1.ContentPart) {
	w.Open('[')
	for _, part := range parts {
		if part.GetOpaque() != nil {
			w.Raw(part.GetOpaque().GetJson())
			continue
		}
		if w.inputPart(part) {
			w.Close('}')
		}
	}
	w.Close(']')
}

// inputPart writes a part, but for its closing brace. Of a kind that has no
// form here it writes nothing.
func (w *writer) inputPart(part *conversationv1.ContentPart) bool {
	switch kind := part.GetKind().(type) {
	case *conversationv1.ContentPart_Text:
		w.Open('{')
		w.StrField("type", "input_text")
		w.StrField("text", kind.Text)
	case *conversationv1.ContentPart_Image:
		w.Open('{')
		w.StrField("type", "input_image")
		detail := kind.Image.GetDetail()
		if detail == "" {
			detail = "auto"
		}
		w.StrField("detail", detail)
		w.StrField("image_url", imageAddress(kind.Image))
	case *conversationv1.ContentPart_File:
		w.file(kind.File)
	case *conversationv1.ContentPart_Audio:
		w.Open('{')
		w.StrField("type", "input_audio")
		w.Key("input_audio")
		w.Open('{')
		w.StrField("data", base64.StdEncoding.EncodeToString(kind.Audio.GetData()))
		w.StrField("format", kind.Audio.GetFormat())
		w.Close('}')
	default:
		return false
	}
	return true
}

func imageAddress(image *conversationv1.Image) string {
	if len(image.GetData()) == 0 {
		return image.GetUrl()
	}
	mediaType := image.GetMediaType()
	if mediaType == "" {
		mediaType = "image/png"
	}
	return dataURL(mediaType, image.GetData())
}

func dataURL(mediaType string, data []byte) string {
	return "data:" + mediaType + ";base64," + base64.StdEncoding.EncodeToString(data)
}

func (w *writer) file(file *conversationv1.File) {
	w.Open('{')
	w.StrField("type", "input_file")
	switch {
	case file.GetFileId() != "":
		w.StrField("file_id", file.GetFileId())
	case len(file.GetData()) == 0:
		w.StrField("file_url", file.GetUrl())
	case file.GetMediaType() == "":
		w.StrField("file_data", base64.StdEncoding.EncodeToString(file.GetData()))
	default:
		w.StrField("file_data", dataURL(file.GetMediaType(), file.GetData()))
	}
	if file.GetFilename() != "" {
		w.StrField("filename", file.GetFilename())
	}
}

// logprobs writes tokens with their log probabilities.
func (w *writer) logprobs(tokens []*conversationv1.TokenLogprob) {
	jsonbody.List(&w.Writer, tokens, func(t *conversationv1.TokenLogprob) { w.token(t, true) })
}

func (w *writer) token(t *conversationv1.TokenLogprob, withTop bool) {
	w.Open('{')
	w.StrField("token", t.GetToken())
	w.Key("bytes")
	raw := t.GetBytes()
	if len(raw) == 0 {
		raw = []byte(t.GetToken())
	}
	w.Open('[')
	for i, b := range raw {
		if i > 0 {
			w.B = append(w.B, ',')
		}
		w.B = strconv.AppendUint(w.B, uint64(b), 10)
	}
	w.Close(']')
	w.FloatField("logprob", t.GetLogprob())
	if withTop {
		w.Key("top_logprobs")
		jsonbody.List(&w.Writer, t.GetTop(), func(top *conversationv1.TokenLogprob) { w.token(top, false) })
	}
	w.Close('}')
}
