package anthropic_test

import (
	"encoding/json"
	"fmt"
	"strings"
)

// message is what an SDK makes of an answer.
type message struct {
	ID           string           `json:"id"`
	Type         string           `json:"type"`
	Role         string           `json:"role"`
	Model        string           `json:"model"`
	Content      []map[string]any `json:"content"`
	StopReason   *string          `json:"stop_reason"`
	StopSequence *string          `json:"stop_sequence"`
	Usage        map[string]any   `json:"usage"`
}

// sdkError is what an SDK throws for an event "error".
type sdkError struct{ kind, text string }

func (e *sdkError) Error() string { return e.kind + ": " + e.text }

// accumulate reads a stream as Anthropic's SDKs do, and stricter: they pass over
// events without a name and throw where one stands out of order.
func accumulate(body string) (*message, error) {
	a := accumulator{open: -1}
	if !strings.HasSuffix(body, "\n\n") {
		return nil, fmt.Errorf("the last event is cut: %q", body[max(len(body)-40, 0):])
	}
	for event := range strings.SplitSeq(strings.TrimSuffix(strings.ReplaceAll(body, "\r\n", "\n"), "\n\n"), "\n\n") {
		name, data, ok := strings.Cut(event, "\n")
		name, named := strings.CutPrefix(name, "event: ")
		data, has := strings.CutPrefix(data, "data: ")
		if !ok || !named || !has || strings.Contains(data, "\n") {
			return nil, fmt.Errorf("an event without name or data: %q", event)
		}
		if a.stopped {
			return nil, fmt.Errorf("an event behind the end: %q", event)
		}
		if err := a.take(name, data); err != nil {
			return a.message, fmt.Errorf("%w in %s", err, data)
		}
	}
	if !a.stopped {
		return a.message, fmt.Errorf("neither message_stop nor an error")
	}
	return a.message, nil
}

type accumulator struct {
	message *message
	open    int // index of the open block, or -1
	json    strings.Builder
	delta   bool // message_delta was there
	stopped bool
}

type event struct {
	Type         string
	Message      *message
	Index        *int
	ContentBlock map[string]any `json:"content_block"`
	Delta        map[string]any
	Usage        map[string]any
	Error        struct{ Type, Message string }
}

func (a *accumulator) take(name, data string) error {
	var e event
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		return err
	}
	if e.Type != name {
		return fmt.Errorf("the event %q is of type %q", name, e.Type)
	}
	switch name {
	case "ping":
		return nil
	case "error":
		a.stopped = true
		if e.Error.Type == "" || e.Error.Message == "" {
			return fmt.Errorf("an error without type or message")
		}
		return &sdkError{e.Error.Type, e.Error.Message}
	case "message_start":
		return a.start(&e)
	}
	if a.message == nil {
		return fmt.Errorf(`Unexpected event order, got %s before "message_start"`, name)
	}
	switch name {
	case "content_block_start":
		return a.blockStart(&e)
	case "content_block_delta":
		return a.blockDelta(&e)
	case "content_block_stop":
		return a.blockStop(&e)
	case "message_delta":
		return a.messageDelta(&e, data)
	case "message_stop":
		a.stopped = true
		if a.open >= 0 || !a.delta {
			return fmt.Errorf("a block is open, or message_delta was missing")
		}
		return nil
	}
	return fmt.Errorf("an unknown event")
}

func (a *accumulator) start(e *event) error {
	m := e.Message
	switch {
	case a.message != nil:
		return fmt.Errorf("a second message_start")
	case m == nil || m.ID == "" || m.Type != "message" || m.Role != "assistant" || m.Model == "" || m.Content == nil || len(m.Content) > 0 || m.StopReason != nil:
		return fmt.Errorf("a message_start that is no empty message")
	case !isNumber(m.Usage["input_tokens"]) || m.Usage["output_tokens"] == nil || m.Usage["output_tokens"].(float64) > 9:
		return fmt.Errorf("usage in message_start")
	}
	a.message = m
	return nil
}

func isNumber(v any) bool { _, ok := v.(float64); return ok }

func (a *accumulator) blockStart(e *event) error {
	block := e.ContentBlock
	switch {
	case a.open >= 0 || a.delta || e.Index == nil || *e.Index != len(a.message.Content):
		return fmt.Errorf("a block out of order")
	case block["type"] == "text" && block["text"] == "":
	case block["type"] == "thinking" && block["thinking"] == "" && block["signature"] == "":
	case block["type"] == "redacted_thinking" && block["data"] != "":
	case block["type"] == "tool_use" && block["id"] != "" && block["name"] != "" && fmt.Sprint(block["input"]) == "map[]":
	default:
		return fmt.Errorf("a block that no SDK expects")
	}
	a.message.Content = append(a.message.Content, block)
	a.open = *e.Index
	a.json.Reset()
	return nil
}

func (a *accumulator) blockDelta(e *event) error {
	if e.Index == nil || a.open != *e.Index {
		return fmt.Errorf("a delta for a block that is not open")
	}
	block := a.message.Content[a.open]
	kind, _ := e.Delta["type"].(string)
	switch block["type"].(string) + "+" + kind {
	case "text+text_delta":
		block["text"] = block["text"].(string) + e.Delta["text"].(string)
	case "thinking+thinking_delta":
		if block["sealed"] == true {
			return fmt.Errorf("a thought behind its signature")
		}
		block["thinking"] = block["thinking"].(string) + e.Delta["thinking"].(string)
	case "thinking+signature_delta":
		block["signature"], block["sealed"] = e.Delta["signature"].(string), true
	case "tool_use+input_json_delta":
		a.json.WriteString(e.Delta["partial_json"].(string))
	default:
		return fmt.Errorf("a delta of another kind")
	}
	return nil
}

func (a *accumulator) blockStop(e *event) error {
	if e.Index == nil || a.open != *e.Index {
		return fmt.Errorf("the end of a block that is not open")
	}
	block := a.message.Content[a.open]
	a.open = -1
	switch {
	case block["type"] == "thinking" && block["sealed"] != true:
		return fmt.Errorf("a thought without a signature")
	case block["type"] == "tool_use" && a.json.Len() > 0:
		if input := a.json.String(); !json.Valid([]byte(input)) || !strings.HasPrefix(input, "{") {
			return fmt.Errorf("a tool's input is no object: %s", input)
		}
		block["input"] = json.RawMessage(a.json.String())
	}
	delete(block, "sealed")
	return nil
}

func (a *accumulator) messageDelta(e *event, data string) error {
	stop, ok := e.Delta["stop_reason"].(string)
	if a.open >= 0 || !ok || !strings.Contains(data, `"stop_sequence":`) || !isNumber(e.Usage["output_tokens"]) {
		return fmt.Errorf("a message_delta that lacks something")
	}
	a.delta, a.message.StopReason = true, &stop
	if sequence, ok := e.Delta["stop_sequence"].(string); ok {
		a.message.StopSequence = &sequence
	}
	for key, value := range e.Usage {
		a.message.Usage[key] = value
	}
	return nil
}
