package responses

import (
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/signer"
	"github.com/gptmesh/gptmesh/wire/internal/texttool"
)

// roleItem is the wire role of a message that is an item of a kind that only
// this wire knows.
const roleItem = "item"

// redactedMark stands before encrypted_content that is another provider's
// encrypted block, and not a signature.
const redactedMark = "gptmesh.redacted."

// DecodeItems reads items, a JSON array, into messages without ids. field names
// the array in errors.
func DecodeItems(field string, items []byte) ([]*conversationv1.Message, error) {
	body := append(append(append(jsonscan.AppendString([]byte{'{'}, field), ':'), items...), '}')
	found, err := jsonscan.Scan(body, jsonscan.NewKeys(field), nil)
	if err != nil {
		return nil, jsonbody.ScanFault(err)
	}
	return decodeItems(jsonbody.Bracketed(body).At(found[0]))
}

// decodeInput reads input: a text of the user, or items.
func decodeInput(input *jsonbody.Value) ([]*conversationv1.Message, error) {
	if input.Kind != jsonscan.String {
		return decodeItems(input)
	}
	text, err := input.String()
	if err != nil {
		return nil, err
	}
	return []*conversationv1.Message{{Role: conversationv1.Role_ROLE_USER, Parts: []*conversationv1.ContentPart{textPart(text)}}}, nil
}

func decodeItems(items *jsonbody.Value) ([]*conversationv1.Message, error) {
	var d itemDecoder
	err := items.Elements(func(_ int, e *jsonbody.Value) error { return d.item(e) })
	return d.out, err
}

// itemDecoder makes messages of items.
type itemDecoder struct {
	out []*conversationv1.Message
	// run is the message of the assistant's items in a row, or nil.
	run             *conversationv1.Message
	spoken, calling bool // it has a message item, a call
}

// item decodes one item.
func (d *itemDecoder) item(e *jsonbody.Value) error {
	kind := ""
	hasRole := false
	if err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case name == "type" && !m.IsNull():
			kind, err = m.String()
		case name == "role":
			hasRole = true
		}
		return err
	}); err != nil {
		return err
	}
	switch kind {
	case "":
		if !hasRole {
			return jsonbody.Malformed(e.Path()+".type", "is required")
		}
		return d.message(e)
	case "message":
		return d.message(e)
	case "function_call":
		return d.call(e, "arguments", "")
	case "custom_tool_call":
		return d.call(e, "input", texttool.WireType)
	case "function_call_output", "custom_tool_call_output":
		return d.output(e)
	case "reasoning":
		return d.reasoning(e)
	case "item_reference":
		return jsonbody.Unsupported(e.Path(), "names an item that is not at hand")
	}
	part := opaque(kind, e)
	if strings.HasSuffix(kind, "_output") || strings.HasSuffix(kind, "_response") {
		d.end()
		d.out = append(d.out, &conversationv1.Message{Role: conversationv1.Role_ROLE_USER, WireRole: roleItem, Parts: []*conversationv1.ContentPart{part}})
		return nil
	}
	d.add(part)
	return nil
}

// add adds a part to the assistant's run.
func (d *itemDecoder) add(parts ...*conversationv1.ContentPart) {
	if d.run == nil {
		d.run = &conversationv1.Message{Role: conversationv1.Role_ROLE_ASSISTANT}
		d.out = append(d.out, d.run)
	}
	d.run.Parts = append(d.run.Parts, parts...)
}

func (d *itemDecoder) end() { d.run, d.spoken, d.calling = nil, false, false }

// roles are the words for roles.
var roles = map[string]conversationv1.Role{
	"system": conversationv1.Role_ROLE_SYSTEM, "developer": conversationv1.Role_ROLE_SYSTEM,
	"user": conversationv1.Role_ROLE_USER, "assistant": conversationv1.Role_ROLE_ASSISTANT,
}

func (d *itemDecoder) message(e *jsonbody.Value) error {
	role := ""
	var content *jsonbody.Value
	var extra jsonbody.Extra
	if err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch name {
		case "type", "id", "status":
		case "role":
			role, err = m.String()
		case "content":
			content = m
		default:
			extra.Add(m)
		}
		return err
	}); err != nil {
		return err
	}
	known, ok := roles[role]
	switch {
	case role == "":
		return jsonbody.Malformed(e.Path()+".role", "is required")
	case !ok:
		return fault.InvalidField(e.Path()+".role", "want system, developer, user or assistant")
	case content == nil || content.IsNull():
		return jsonbody.Malformed(e.Path()+".content", "is required")
	}
	parts, err := decodeContent(content, known == conversationv1.Role_ROLE_ASSISTANT)
	if err != nil {
		return err
	}
	if known == conversationv1.Role_ROLE_ASSISTANT {
		if d.spoken && !d.calling || extra.Object() != "" || d.run.GetExtraJson() != "" {
			d.end()
		}
		if len(parts) == 0 {
			return nil
		}
		d.add(parts...)
		d.spoken = true
		d.run.ExtraJson = extra.Object()
		return nil
	}
	d.end()
	m := &conversationv1.Message{Role: known, Parts: parts, ExtraJson: extra.Object()}
	if role == "developer" {
		m.WireRole = role
	}
	d.out = append(d.out, m)
	return nil
}

// call decodes a call; its arguments are the member of that name.
func (d *itemDecoder) call(e *jsonbody.Value, arguments, wireType string) error {
	call := &conversationv1.ToolCall{WireType: wireType}
	namespace := ""
	var extra jsonbody.Extra
	err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch name {
		case "type", "id", "status":
		case "call_id":
			call.Id, err = m.String()
		case "name":
			call.Name, err = m.String()
		case "namespace":
			namespace, err = m.StringOrNull()
		case arguments:
			if m.Kind == jsonscan.Object {
				call.ArgumentsJson = m.JSON()
				return nil
			}
			call.ArgumentsJson, err = m.StringOrNull()
			if wireType == texttool.WireType {
				call.ArgumentsJson = texttool.Wrap(call.ArgumentsJson)
			}
		default:
			extra.Add(m)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case call.GetId() == "":
		return jsonbody.Malformed(e.Path()+".call_id", "is required")
	case call.GetName() == "":
		return jsonbody.Malformed(e.Path()+".name", "is required")
	}
	if wireType == "" {
		call.Name = flatName(namespace, call.GetName())
	}
	d.add(&conversationv1.ContentPart{Kind: &conversationv1.ContentPart_ToolCall{ToolCall: call}, ExtraJson: extra.Object()})
	d.calling = true
	return nil
}

// output decodes what a call gave.
func (d *itemDecoder) output(e *jsonbody.Value) error {
	result := &conversationv1.ToolResult{}
	given := false
	var extra jsonbody.Extra
	err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch name {
		case "type", "id", "status", "namespace": // the call says of which
		case "call_id":
			result.ToolCallId, err = m.String()
		case "output":
			given = true
			if m.Kind == jsonscan.Object { // as some clients write it
				result.Parts = []*conversationv1.ContentPart{textPart(m.JSON())}
				return nil
			}
			result.Parts, err = decodeContent(m, true)
		default:
			extra.Add(m)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case result.GetToolCallId() == "":
		return jsonbody.Malformed(e.Path()+".call_id", "is required")
	case !given:
		return jsonbody.Malformed(e.Path()+".output", "is required")
	}
	d.end()
	d.out = append(d.out, &conversationv1.Message{Role: conversationv1.Role_ROLE_TOOL, Parts: []*conversationv1.ContentPart{{
		Kind: &conversationv1.ContentPart_ToolResult{ToolResult: result}, ExtraJson: extra.Object(),
	}}})
	return nil
}

// reasoning decodes a block of thought. One that holds nothing but its id is
// left out: nobody but the server that gave the id could do anything with it.
func (d *itemDecoder) reasoning(e *jsonbody.Value) error {
	r := &conversationv1.Reasoning{}
	var summary, content []string
	err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull():
		case name == "id":
			r.Id, err = m.String()
		case name == "encrypted_content":
			r.Signature, err = m.String()
		case name == "summary":
			summary, err = texts(m)
		case name == "content":
			content, err = texts(m)
		}
		return err
	})
	if err != nil {
		return err
	}
	if len(content) > 0 {
		summary = content
	}
	r.Text = strings.Join(summary, "\n\n")
	if redacted, ok := strings.CutPrefix(r.Signature, redactedMark); ok {
		r.Signature, r.Redacted = "", redacted
	}
	r.Signature = signer.OpenAI.Read(r.Signature)
	if r.Text != "" || r.Signature != "" || r.Redacted != "" {
		d.add(&conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Reasoning{Reasoning: r}})
	}
	return nil
}

// texts reads the texts of an array of parts.
func texts(at *jsonbody.Value) (out []string, err error) {
	err = at.Elements(func(_ int, e *jsonbody.Value) error {
		return e.Members(func(name string, m *jsonbody.Value) error {
			if name != "text" {
				return nil
			}
			text, err := m.String()
			out = append(out, text)
			return err
		})
	})
	return out, err
}
