package face

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/gptmesh/gptmesh/tests/harness"
)

// Ollama is POST /api/chat.
type Ollama struct{}

// Name implements Face.
func (Ollama) Name() string { return "ollama" }

type ollamaLine struct {
	Error     *string `json:"error"`
	Model     string  `json:"model"`
	CreatedAt string  `json:"created_at"`
	Message   *struct {
		Role    string  `json:"role"`
		Content *string `json:"content"`
	} `json:"message"`
	Done       *bool  `json:"done"`
	DoneReason string `json:"done_reason"`
}

// Ask implements Face.
func (Ollama) Ask(ctx context.Context, mesh *harness.Mesh, ask Ask) (Answer, error) {
	resp, err := post(ctx, mesh, "/api/chat", map[string]any{
		"model": ask.Model, "stream": ask.Stream, "messages": []any{map[string]any{"role": "user", "content": ask.Text}},
	}, ask)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	answer := begin(resp)
	want := "application/json"
	if ask.Stream && resp.StatusCode == http.StatusOK {
		want = "application/x-ndjson"
	}
	if err := wantType(resp, want); err != nil {
		return answer, err
	}
	if want == "application/json" {
		body, err := io.ReadAll(resp.Body)
		answer.Body = string(body)
		if err != nil {
			return answer, err
		}
		return answer, ollamaRead(&answer, ask, body, false)
	}
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return answer, nil
		}
		if err != nil {
			return answer, fmt.Errorf("within a line: %w", err)
		}
		answer.Body += string(line)
		if err := ollamaRead(&answer, ask, line, true); err != nil {
			return answer, err
		}
	}
}

func ollamaRead(answer *Answer, ask Ask, text []byte, streamed bool) error {
	if answer.Complete || answer.Error != nil {
		return fmt.Errorf("a line after the last one: %s", text)
	}
	var line ollamaLine
	if err := json.Unmarshal(text, &line); err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	if line.Error != nil {
		if *line.Error == "" {
			return errors.New("an empty error")
		}
		answer.Error = &Error{Message: *line.Error, InStream: streamed}
		return nil
	}
	if answer.Status != http.StatusOK {
		return fmt.Errorf("status %d without an error: %s", answer.Status, text)
	}
	if line.Model != ask.Model || line.CreatedAt == "" || line.Done == nil || line.Message == nil || line.Message.Role != "assistant" || line.Message.Content == nil {
		return fmt.Errorf("a line lacks model as asked, created_at, done or message: %s", text)
	}
	answer.Text += *line.Message.Content
	if streamed && ask.OnText != nil && *line.Message.Content != "" {
		ask.OnText(*line.Message.Content)
	}
	if *line.Done {
		answer.Complete, answer.FinishReason = true, line.DoneReason
	} else if !streamed {
		return fmt.Errorf("a whole answer that is not done: %s", text)
	}
	return nil
}
