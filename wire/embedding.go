package wire

import conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"

// EmbeddingRequest asks a model for vectors, in no dialect.
type EmbeddingRequest struct {
	// Model is the model's id or alias. May be empty.
	Model string
	// Inputs are what to embed, in order. At least one.
	Inputs []EmbeddingInput
	// Dimensions asks for shorter vectors. Nil means the model's own.
	Dimensions *int32
	// User is the end user, as the provider is told.
	User string
	// Truncate cuts inputs that are too long instead of failing. Nil means the
	// provider's default.
	Truncate *bool
	// ExtraJSON is a JSON object of members that no field holds. Empty when
	// none.
	ExtraJSON string
	// ExtraWire is the dialect of ExtraJSON.
	ExtraWire conversationv1.Wire
}

// EmbeddingInput is one thing to embed.
type EmbeddingInput struct {
	// Text is plain text. Not read where Tokens is set.
	Text string
	// Tokens are token ids of the model's own vocabulary. Nil with text.
	Tokens []int32
}

// EmbeddingAnswer is the vectors.
type EmbeddingAnswer struct {
	// Model is the model that answered.
	Model string
	// Vectors stand in the order of the inputs.
	Vectors [][]float32
	// Usage is the count of tokens; nil where unknown.
	Usage *conversationv1.Usage
}
