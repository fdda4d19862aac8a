package ollama

import (
	"encoding/base64"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

func textPart(text string) *conversationv1.ContentPart {
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Text{Text: text}}
}

// textParts is the text as content; "" is none.
func textParts(text string) []*conversationv1.ContentPart {
	if text == "" {
		return nil
	}
	return []*conversationv1.ContentPart{textPart(text)}
}

func (d *turnDecoder) messages(list *jsonbody.Value) error {
	return list.Elements(func(_ int, e *jsonbody.Value) error {
		m, err := d.message(e)
		d.turn.Messages = append(d.turn.Messages, m)
		return err
	})
}

// message is one of a chat as it is being decoded.
type message struct {
	role, text, thinking     string
	images                   []*conversationv1.ContentPart
	calls                    []*conversationv1.ContentPart
	name, toolName, resultID string
	rest                     jsonbody.Extra
}

func (d *turnDecoder) message(e *jsonbody.Value) (*conversationv1.Message, error) {
	var in message
	if err := e.Members(func(name string, m *jsonbody.Value) error { return d.messageMember(&in, name, m) }); err != nil {
		return nil, err
	}
	out := &conversationv1.Message{Name: in.name, ExtraJson: in.rest.Object()}
	switch in.role {
	case "user":
		out.Role, out.Parts = conversationv1.Role_ROLE_USER, append(in.images, textParts(in.text)...)
	case "system", "developer":
		out.Role, out.Parts = conversationv1.Role_ROLE_SYSTEM, append(in.images, textParts(in.text)...)
		if in.role == "developer" {
			out.WireRole = in.role
		}
	case "assistant":
		out.Role = conversationv1.Role_ROLE_ASSISTANT
		if in.thinking != "" {
			out.Parts = append(out.Parts, &conversationv1.ContentPart{
				Kind: &conversationv1.ContentPart_Reasoning{Reasoning: &conversationv1.Reasoning{Text: in.thinking}}})
		}
		out.Parts = append(append(append(out.Parts, in.images...), textParts(in.text)...), in.calls...)
	case "tool":
		if in.toolName == "" {
			in.toolName, out.Name = in.name, ""
		}
		result := &conversationv1.ToolResult{ToolCallId: in.resultID, ToolName: in.toolName, Parts: append(in.images, textParts(in.text)...)}
		d.calls.answer(result)
		out.Role = conversationv1.Role_ROLE_TOOL
		out.Parts = []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_ToolResult{ToolResult: result}}}
	default:
		return nil, jsonbody.Malformed(e.Path()+".role", `want "system", "user", "assistant" or "tool"`)
	}
	return out, nil
}

func (d *turnDecoder) messageMember(in *message, name string, m *jsonbody.Value) (err error) {
	if m.IsNull() {
		return nil
	}
	switch name {
	case "role":
		in.role, err = m.String()
	case "content":
		in.text, err = decodeContent(m)
	case "thinking":
		in.thinking, err = m.String()
	case "images":
		in.images, err = decodeImages(m)
	case "tool_calls":
		err = m.Elements(func(_ int, e *jsonbody.Value) error {
			call, err := d.toolCall(e)
			in.calls = append(in.calls, call)
			return err
		})
	case "name":
		in.name, err = m.String()
	case "tool_name":
		in.toolName, err = m.String()
	case "tool_call_id":
		in.resultID, err = m.String()
	default:
		in.rest.Add(m)
	}
	return err
}

// decodeContent reads a text, or a list of texts and text parts, which some
// clients send: [] beside images above all.
func decodeContent(m *jsonbody.Value) (string, error) {
	if m.Kind == jsonscan.String {
		return m.String()
	}
	if m.Kind != jsonscan.Array {
		return "", m.Malformed("a string")
	}
	var texts []string
	err := m.Elements(func(_ int, e *jsonbody.Value) error {
		if e.Kind == jsonscan.String {
			text, err := e.String()
			texts = append(texts, text)
			return err
		}
		return e.Members(func(name string, m *jsonbody.Value) error {
			text, err := m.String()
			switch {
			case err != nil:
				return jsonbody.Malformed(e.Path(), "want a part of type text; pictures stand in images")
			case name == "text":
				texts = append(texts, text)
			case name == "type" && text != "text":
				return jsonbody.Malformed(e.Path()+".type", "want text; pictures stand in images")
			}
			return nil
		})
	})
	return strings.Join(texts, "\n"), err
}

func decodeImages(list *jsonbody.Value) ([]*conversationv1.ContentPart, error) {
	var parts []*conversationv1.ContentPart
	err := list.Elements(func(_ int, e *jsonbody.Value) error {
		text, err := e.String()
		if err != nil {
			return err
		}
		image, ok := decodeImage(text)
		if !ok {
			return jsonbody.Malformed(e.Path(), "want a picture in base64")
		}
		parts = append(parts, &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Image{Image: image}})
		return nil
	})
	return parts, err
}

// decodeImage reads base64, with or without padding, and data URLs.
func decodeImage(text string) (*conversationv1.Image, bool) {
	mediaType := ""
	if after, ok := strings.CutPrefix(text, "data:"); ok {
		head, data, _ := strings.Cut(after, ",")
		if mediaType, ok = strings.CutSuffix(head, ";base64"); !ok {
			return nil, false
		}
		mediaType, _, _ = strings.Cut(mediaType, ";")
		text = data
	}
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(text), "="))
	if err != nil || len(data) == 0 {
		return nil, false
	}
	if mediaType == "" {
		mediaType = sniff(data)
	}
	return &conversationv1.Image{Data: data, MediaType: mediaType}, true
}

// sniff tells the type of a picture by its first bytes.
func sniff(data []byte) string {
	head := string(data[:min(len(data), 12)])
	switch {
	case strings.HasPrefix(head, "\x89PNG"):
		return "image/png"
	case strings.HasPrefix(head, "\xff\xd8\xff"):
		return "image/jpeg"
	case strings.HasPrefix(head, "GIF8"):
		return "image/gif"
	case strings.HasPrefix(head, "RIFF") && strings.HasSuffix(head, "WEBP"):
		return "image/webp"
	case strings.HasPrefix(head, "BM"):
		return "image/bmp"
	}
	return "application/octet-stream"
}

func (d *turnDecoder) toolCall(e *jsonbody.Value) (*conversationv1.ContentPart, error) {
	call := &conversationv1.ToolCall{}
	part := &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_ToolCall{ToolCall: call}}
	var rest jsonbody.Extra
	err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull(), name == "type":
		case name == "id":
			call.Id, err = m.String()
		case name == "function":
			err = decodeCalled(m, call)
		default:
			rest.Add(m)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if call.Name == "" {
		return nil, jsonbody.Malformed(e.Path()+".function.name", "a tool call needs a name")
	}
	if call.ArgumentsJson == "" {
		call.ArgumentsJson = "{}"
	}
	part.ExtraJson = rest.Object()
	d.calls.add(call)
	return part, nil
}

// decodeCalled reads name and arguments. Arguments are an object; a text, as
// OpenAI has it, is taken as it is.
func decodeCalled(function *jsonbody.Value, call *conversationv1.ToolCall) error {
	return function.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull():
		case name == "name":
			call.Name, err = m.String()
		case name == "arguments" && m.Kind == jsonscan.String:
			call.ArgumentsJson, err = m.String()
		case name == "arguments" && m.Kind == jsonscan.Object:
			call.ArgumentsJson = m.JSON()
		case name == "arguments":
			err = m.Malformed("an object")
		}
		return err
	})
}
