package tokens

import conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"

// walk adds up a turn. What is not text makes the count inexact.
type walk struct {
	text  func(string) int64
	sum   int64
	exact bool
}

func (w *walk) add(texts ...string) {
	for _, text := range texts {
		if text != "" {
			w.sum += w.text(text)
		}
	}
}

func (w *walk) guess(tokens int64) {
	w.sum += tokens
	w.exact = false
}

func (w *walk) turn(turn *conversationv1.Turn) {
	for _, message := range turn.GetMessages() {
		w.sum += PerMessage
		if name := message.GetName(); name != "" {
			w.sum += PerName
			w.add(name)
		}
		w.add(roles[message.GetRole()])
		for _, part := range message.GetParts() {
			w.part(part)
		}
	}
	for _, tool := range turn.GetTools() {
		// How a provider shows tools to its model is not published.
		w.guess(PerTool)
		w.add(tool.GetName(), tool.GetDescription(), tool.GetParametersJson())
		if tool.GetWireType() != "" {
			w.add(tool.GetExtraJson())
		}
	}
	if format := turn.GetResponseFormat(); format.GetSchemaJson() != "" {
		w.exact = false
		w.add(format.GetSchemaJson())
	}
	if turn.Suffix != nil {
		w.add(turn.GetSuffix())
	}
	w.sum += PerAnswer
}

var roles = map[conversationv1.Role]string{
	conversationv1.Role_ROLE_SYSTEM: "system", conversationv1.Role_ROLE_USER: "user",
	conversationv1.Role_ROLE_ASSISTANT: "assistant", conversationv1.Role_ROLE_TOOL: "tool",
}

func (w *walk) part(part *conversationv1.ContentPart) {
	switch kind := part.GetKind().(type) {
	case *conversationv1.ContentPart_Text:
		w.add(kind.Text)
	case *conversationv1.ContentPart_Refusal:
		w.add(kind.Refusal)
	case *conversationv1.ContentPart_Reasoning:
		w.exact = false
		w.add(kind.Reasoning.GetText())
	case *conversationv1.ContentPart_ToolCall:
		w.exact = false
		w.add(kind.ToolCall.GetName(), kind.ToolCall.GetArgumentsJson())
	case *conversationv1.ContentPart_ToolResult:
		w.exact = false
		for _, inner := range kind.ToolResult.GetParts() {
			w.part(inner)
		}
	case *conversationv1.ContentPart_Image:
		if kind.Image.GetDetail() == "low" {
			w.guess(LowImageTokens)
		} else {
			w.guess(ImageTokens)
		}
	case *conversationv1.ContentPart_Audio:
		// OpenAI counts 10 tokens per second; the length is not known here.
		w.guess(max(Estimate(len(kind.Audio.GetTranscript())), 100))
	case *conversationv1.ContentPart_File:
		w.guess(FileTokens)
	case *conversationv1.ContentPart_Opaque:
		w.exact = false
		w.add(kind.Opaque.GetJson())
	}
}
