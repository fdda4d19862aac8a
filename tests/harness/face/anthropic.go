package face

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gptmesh/gptmesh/tests/harness"
)

// Anthropic is POST /v1/messages. It is not among All: its answers are held to
// their wire elsewhere.
type Anthropic struct{}

// Name implements Face.
func (Anthropic) Name() string { return "anthropic" }

type anthropicEvent struct {
	Type  string `json:"type"`
	Delta struct {
		Text       string `json:"text"`
		StopReason string `json:"stop_reason"`
	} `json:"delta"`
	Content []struct {
		Text string `json:"text"`
	} `json:"content"`
	StopReason string `json:"stop_reason"`
	Error      *struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
}

// Ask implements Face.
func (Anthropic) Ask(ctx context.Context, mesh *harness.Mesh, ask Ask) (Answer, error) {
	resp, err := post(ctx, mesh, "/v1/messages", map[string]any{
		"model": ask.Model, "stream": ask.Stream, "max_tokens": 100, "messages": []any{map[string]any{"role": "user", "content": ask.Text}},
	}, ask)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	answer := begin(resp)
	if resp.StatusCode != http.StatusOK || !ask.Stream {
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return answer, err
		}
		return answer, answer.anthropic(body, ask)
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		answer.Body += data + "\n"
		if answer.Complete || answer.Error != nil {
			return answer, fmt.Errorf("an event after the last one: %s", data)
		}
		if err := answer.anthropic([]byte(data), ask); err != nil {
			return answer, err
		}
	}
	return answer, lines.Err()
}

// anthropic reads an event, or a whole answer.
func (a *Answer) anthropic(data []byte, ask Ask) error {
	var event anthropicEvent
	if err := json.Unmarshal(data, &event); err != nil {
		return fmt.Errorf("%s: %w", data, err)
	}
	switch event.Type {
	case "error":
		if event.Error == nil || event.Error.Message == "" {
			return errors.New("an error without a message")
		}
		a.Error = &Error{Message: event.Error.Message, InStream: ask.Stream && a.Status == http.StatusOK}
	case "content_block_delta":
		a.Text += event.Delta.Text
		if ask.OnText != nil && event.Delta.Text != "" {
			ask.OnText(event.Delta.Text)
		}
	case "message_delta":
		a.FinishReason = event.Delta.StopReason
	case "message_stop":
		a.Complete = true
	case "message":
		for _, part := range event.Content {
			a.Text += part.Text
		}
		a.FinishReason, a.Complete = event.StopReason, event.StopReason != ""
	}
	return nil
}
