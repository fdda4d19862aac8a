package tokens_test

import (
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/services/gpt/internal/tokens"
)

func message(role conversationv1.Role, name, text string) *conversationv1.Message {
	return &conversationv1.Message{Role: role, Name: name, Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: text}}}}
}

// The conversation and its counts are those of OpenAI's cookbook, checked there
// against the API's own usage.
func TestCountsLikeTheAPI(t *testing.T) {
	t.Parallel()
	system, user := conversationv1.Role_ROLE_SYSTEM, conversationv1.Role_ROLE_USER
	turn := &conversationv1.Turn{Messages: []*conversationv1.Message{
		message(system, "", "You are a helpful, pattern-following assistant that translates corporate jargon into plain English."),
		message(system, "example_user", "New synergies will help drive top-line growth."),
		message(system, "example_assistant", "Things working well together will increase revenue."),
		message(system, "example_user", "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."),
		message(system, "example_assistant", "Let's talk later when we're less busy about how to do better."),
		message(user, "", "This late pivot means we don't have time to boil the ocean for the client deliverable."),
	}}
	counter := &tokens.Counter{}
	for model, want := range map[string]tokens.Count{
		"gpt-4":         {Tokens: 129, Exact: true, Tokenizer: "cl100k_base"},
		"openai/gpt-4o": {Tokens: 124, Exact: true, Tokenizer: "o200k_base"},
		"llama-3.3-70b": {Tokens: 124, Exact: false, Tokenizer: "o200k_base"},
	} {
		got, err := counter.Turn(model, turn)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", model, got, err, want)
		}
	}
}

func TestNotTextIsAnEstimate(t *testing.T) {
	t.Parallel()
	counter := &tokens.Counter{}
	for name, part := range map[string]*conversationv1.ContentPart{
		"image": {Kind: &conversationv1.ContentPart_Image{Image: &conversationv1.Image{Url: "http://x"}}},
		"call":  {Kind: &conversationv1.ContentPart_ToolCall{ToolCall: &conversationv1.ToolCall{Name: "f", ArgumentsJson: "{}"}}},
		"file":  {Kind: &conversationv1.ContentPart_File{File: &conversationv1.File{FileId: "f"}}},
		"audio": {Kind: &conversationv1.ContentPart_Audio{Audio: &conversationv1.Audio{}}},
	} {
		turn := &conversationv1.Turn{Messages: []*conversationv1.Message{{Role: conversationv1.Role_ROLE_USER, Parts: []*conversationv1.ContentPart{part}}}}
		got, err := counter.Turn("gpt-4o", turn)
		if err != nil || got.Exact || got.Tokens < 7 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestLongTextIsCountedInPieces(t *testing.T) {
	t.Parallel()
	counter := &tokens.Counter{}
	words, err := counter.Text("gpt-4o", strings.Repeat("hello ", 10_000))
	if err != nil || words.Tokens < 10_000 || words.Tokens > 10_200 {
		t.Errorf("%+v, %v", words, err)
	}
	if _, err := counter.Text("gpt-4o", strings.Repeat("\xff", 20_000)); err != nil {
		t.Error(err)
	}
}

func TestEstimates(t *testing.T) {
	t.Parallel()
	turn := &conversationv1.Turn{Raw: &conversationv1.RawTurn{Body: make([]byte, 400)}}
	if got := tokens.EstimateTurn(turn); got != 100 {
		t.Error(got)
	}
	if got := tokens.EstimateTurn(&conversationv1.Turn{}); got < 1 {
		t.Error(got)
	}
}
