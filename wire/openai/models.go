package openai

import (
	"math"
	"time"

	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// Model is one entry of /v1/models. The members beyond OpenAI's own are what
// clients read to set themselves up.
type Model struct {
	// ID is how the model is asked for.
	ID string
	// Created is when it came out. Zero where unknown.
	Created time.Time
	// OwnedBy is who made it.
	OwnedBy string
	// Name is for people. Empty where there is none but ID.
	Name string
	// ContextLength is how many tokens prompt and answer may have together; 0
	// where unknown.
	ContextLength int64
	// MaxOutputTokens is how long an answer may be; 0 where unknown.
	MaxOutputTokens int64
	// ToolCalling, Vision and Thinking are what it can do.
	ToolCalling, Vision, Thinking bool
	// FillsGaps is whether it can fill in the middle. Only Mistral's members say so.
	FillsGaps bool
	// Mistral adds the members that Mistral's own libraries know a model by.
	Mistral bool
	// OpenRouter adds the members that OpenRouter's own libraries know a model by.
	OpenRouter bool
	// InputPrice and OutputPrice are what a million tokens cost, in dollars; below
	// 0 where unknown. Only OpenRouter's members say so.
	InputPrice, OutputPrice float64
	// ReasoningEfforts are the values of reasoning_effort that it takes. Nil
	// where it takes none, or where that is unknown.
	ReasoningEfforts []string
}

// EncodeModels makes the body of GET /v1/models.
func EncodeModels(models []Model) []byte {
	w := writer{}
	w.Open('{')
	w.StrField("object", "list")
	w.Key("data")
	jsonbody.List(&w.Writer, models, w.model)
	if len(models) > 0 && models[0].OpenRouter {
		w.RawField("links", `{"next":null}`)
		w.IntField("total_count", int64(len(models)))
	}
	w.Close('}')
	return w.B
}

// EncodeModel makes the body of GET /v1/models/{id}.
func EncodeModel(model Model) []byte {
	w := writer{}
	w.model(model)
	return w.B
}

// model writes one entry: OpenAI's members, then those that VS Code's custom
// endpoints read, then context_length, which OpenRouter's clients read.
func (w *writer) model(m Model) {
	w.Open('{')
	w.StrField("id", m.ID)
	w.StrField("object", "model")
	created := int64(0)
	if !m.Created.IsZero() {
		created = m.Created.Unix()
	}
	w.IntField("created", created)
	owner := m.OwnedBy
	if owner == "" {
		owner = "gptmesh"
	}
	w.StrField("owned_by", owner)
	name := m.Name
	if name == "" {
		name = m.ID
	}
	w.StrField("name", name)
	if m.ContextLength > 0 {
		w.IntField("context_length", m.ContextLength)
		w.IntField("contextWindow", m.ContextLength)
		input := m.ContextLength - m.MaxOutputTokens
		if input <= 0 { // prompt and answer share the window
			input = m.ContextLength
		}
		w.IntField("maxInputTokens", input)
	}
	if m.MaxOutputTokens > 0 {
		w.IntField("maxOutputTokens", m.MaxOutputTokens)
	}
	w.TruthField("toolCalling", m.ToolCalling)
	w.TruthField("vision", m.Vision)
	w.TruthField("thinking", m.Thinking)
	w.TruthField("streaming", true)
	if len(m.ReasoningEfforts) > 0 {
		w.Key("supportsReasoningEffort")
		w.Strings(m.ReasoningEfforts)
		w.StrField("reasoningEffortFormat", "chat-completions")
	}
	if m.Mistral {
		w.mistral(m)
	}
	if m.OpenRouter {
		w.openRouter(m)
	}
	w.Close('}')
}

func (w *writer) mistral(m Model) {
	w.StrField("type", "base")
	if m.ContextLength > 0 {
		w.IntField("max_context_length", m.ContextLength)
	}
	w.Key("capabilities")
	w.Open('{')
	w.TruthField("completion_chat", true)
	w.TruthField("function_calling", m.ToolCalling)
	w.TruthField("completion_fim", m.FillsGaps)
	w.TruthField("vision", m.Vision)
	w.TruthField("reasoning", m.Thinking)
	w.TruthField("fine_tuning", false)
	w.Close('}')
}

var modelsKeys = jsonscan.NewKeys("data", "models", "error")

const (
	atModelID = iota
	atModelCreated
	atOwnedBy
	atModelName
	atContextLength
	atContextWindow
	atMaxModelLen
	atMaxContextLength
	atMeta
	atMaxCompletion
	atTopProvider
	atArchitecture
	atSupported
	atCapabilities
	modelMembers
)

var modelKeys = jsonscan.NewKeys(
	"id", "created", "owned_by", "name", "context_length", "context_window", "max_model_len", "max_context_length", "meta",
	"max_completion_tokens", "top_provider", "architecture", "supported_parameters", "capabilities",
)

// DecodeModels decodes a provider's answer to GET /v1/models: {"data":[…]},
// {"models":[…]} or the bare array. Limits are read as OpenRouter and Together
// (context_length), Groq (context_window), vLLM (max_model_len), Mistral
// (max_context_length) and llama.cpp (meta.n_ctx_train) name them. Entries
// without an id are passed over.
func DecodeModels(body []byte) ([]Model, error) {
	var list jsonscan.Member
	found, err := jsonscan.Scan(body, modelsKeys, nil)
	switch {
	case err == nil && found[0].Kind == jsonscan.Array:
		list = found[0]
	case err == nil && found[1].Kind == jsonscan.Array:
		list = found[1]
	case err == nil && found[0].Kind == jsonscan.Null:
		return nil, nil
	case err == nil && found[2].Present():
		return nil, providerError(body, 0)
	case err == nil:
		return nil, protocol("the list of models is missing", nil)
	default:
		list = jsonscan.Member{Kind: jsonscan.Array, Value: jsonscan.Span{End: len(body)}}
	}
	var models []Model
	if err := jsonscan.ForEachElement(body, list.Value, func(m jsonscan.Member) bool {
		if model := decodeModel(body, m); model.ID != "" {
			models = append(models, model)
		}
		return true
	}); err != nil {
		return nil, protocol("the list of models cannot be read", err)
	}
	return models, nil
}

var (
	metaKeys         = jsonscan.NewKeys("n_ctx_train")
	topProviderKeys  = jsonscan.NewKeys("max_completion_tokens")
	architectureKeys = jsonscan.NewKeys("input_modalities")
	capabilityKeys   = jsonscan.NewKeys("function_calling", "vision", "reasoning")
)

func decodeModel(body []byte, m jsonscan.Member) Model {
	var room [modelMembers]jsonscan.Member
	if _, err := jsonscan.ScanObject(body, m.Value, modelKeys, room[:]); err != nil {
		return Model{}
	}
	model := Model{ID: text(body, room[atModelID]), OwnedBy: text(body, room[atOwnedBy]), Name: text(body, room[atModelName])}
	if seconds, err := room[atModelCreated].Float64(body); err == nil && seconds > 0 && seconds < 1<<40 {
		model.Created = time.Unix(int64(math.Trunc(seconds)), 0).UTC()
	}
	for _, i := range [...]int{atContextLength, atContextWindow, atMaxModelLen, atMaxContextLength} {
		if model.ContextLength == 0 {
			model.ContextLength = count(body, room[i])
		}
	}
	if model.ContextLength == 0 {
		model.ContextLength = count(body, inside(body, room[atMeta], metaKeys)[0])
	}
	model.MaxOutputTokens = count(body, room[atMaxCompletion])
	if model.MaxOutputTokens == 0 {
		model.MaxOutputTokens = count(body, inside(body, room[atTopProvider], topProviderKeys)[0])
	}
	model.Vision = lists(body, inside(body, room[atArchitecture], architectureKeys)[0], "image")
	model.ToolCalling = lists(body, room[atSupported], "tools")
	model.Thinking = lists(body, room[atSupported], "reasoning")
	can := inside(body, room[atCapabilities], capabilityKeys)
	model.ToolCalling = model.ToolCalling || can[0].Kind == jsonscan.True
	model.Vision = model.Vision || can[1].Kind == jsonscan.True
	model.Thinking = model.Thinking || can[2].Kind == jsonscan.True
	return model
}

// inside finds members of a nested object; all are absent where it is none.
func inside(body []byte, at jsonscan.Member, keys *jsonscan.Keys) []jsonscan.Member {
	if at.Kind == jsonscan.Object {
		if found, err := jsonscan.ScanObject(body, at.Value, keys, nil); err == nil {
			return found
		}
	}
	return make([]jsonscan.Member, keys.Len())
}

// lists says whether an array holds a word.
func lists(body []byte, at jsonscan.Member, word string) (found bool) {
	if at.Kind != jsonscan.Array {
		return false
	}
	// The body was scanned, so nothing can fail.
	_ = jsonscan.ForEachElement(body, at.Value, func(m jsonscan.Member) bool {
		found = text(body, m) == word
		return !found
	})
	return found
}
