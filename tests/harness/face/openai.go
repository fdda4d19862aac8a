package face

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gptmesh/gptmesh/tests/harness"
)

// OpenAI is POST /v1/chat/completions.
type OpenAI struct{}

// Name implements Face.
func (OpenAI) Name() string { return "openai" }

type openAIError struct {
	Error *struct {
		Message *string `json:"message"`
		Type    *string `json:"type"`
		Code    any     `json:"code"`
	} `json:"error"`
}

func (e openAIError) read(inStream bool) (*Error, error) {
	if e.Error == nil || e.Error.Message == nil || *e.Error.Message == "" || e.Error.Type == nil || *e.Error.Type == "" {
		return nil, errors.New("an error without message or type")
	}
	code, _ := e.Error.Code.(string)
	return &Error{Message: *e.Error.Message, Code: code, InStream: inStream}, nil
}

type openAIChoice struct {
	Delta struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	} `json:"delta"`
	Message struct {
		Content string `json:"content"`
	} `json:"message"`
	FinishReason *string `json:"finish_reason"`
}

type openAIAnswer struct {
	openAIError
	ID      string         `json:"id"`
	Object  string         `json:"object"`
	Created int64          `json:"created"`
	Choices []openAIChoice `json:"choices"`
}

// Ask implements Face.
func (OpenAI) Ask(ctx context.Context, mesh *harness.Mesh, ask Ask) (Answer, error) {
	resp, err := post(ctx, mesh, "/v1/chat/completions", map[string]any{
		"model": ask.Model, "stream": ask.Stream, "messages": []any{map[string]any{"role": "user", "content": ask.Text}},
	}, ask)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	answer := begin(resp)
	if resp.StatusCode != http.StatusOK || !ask.Stream {
		return openAIWhole(resp, answer)
	}
	if err := wantType(resp, "text/event-stream"); err != nil {
		return answer, err
	}
	var all strings.Builder
	first := true
	err = readEvents(resp.Body, &all, func(data string) error {
		if answer.Complete || answer.Error != nil {
			return fmt.Errorf("an event after the last one: %s", data)
		}
		if data == "[DONE]" {
			answer.Complete = true
			return nil
		}
		var chunk openAIAnswer
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			return fmt.Errorf("%s: %w", data, err)
		}
		if chunk.Error != nil {
			answer.Error, err = chunk.read(true)
			return err
		}
		if chunk.ID == "" || chunk.Object != "chat.completion.chunk" || chunk.Created == 0 || chunk.Choices == nil {
			return fmt.Errorf("a chunk lacks id, object, created or choices: %s", data)
		}
		for _, choice := range chunk.Choices {
			if first && choice.Delta.Role != "assistant" {
				return fmt.Errorf("the first delta has no role: %s", data)
			}
			first = false
			answer.Text += choice.Delta.Content
			if ask.OnText != nil && choice.Delta.Content != "" {
				ask.OnText(choice.Delta.Content)
			}
			if choice.FinishReason != nil {
				answer.FinishReason = *choice.FinishReason
			}
		}
		return nil
	})
	answer.Body = all.String()
	return answer, err
}

func openAIWhole(resp *http.Response, answer Answer) (Answer, error) {
	body, err := io.ReadAll(resp.Body)
	answer.Body = string(body)
	if err != nil {
		return answer, err
	}
	if err := wantType(resp, "application/json"); err != nil {
		return answer, err
	}
	var whole openAIAnswer
	if err := json.Unmarshal(body, &whole); err != nil {
		return answer, fmt.Errorf("%s: %w", body, err)
	}
	if resp.StatusCode != http.StatusOK {
		answer.Error, err = whole.read(false)
		return answer, err
	}
	if whole.Object != "chat.completion" || len(whole.Choices) != 1 || whole.Choices[0].FinishReason == nil {
		return answer, fmt.Errorf("no whole answer: %s", body)
	}
	answer.Text, answer.FinishReason, answer.Complete = whole.Choices[0].Message.Content, *whole.Choices[0].FinishReason, true
	return answer, nil
}
