package provider

import (
	"context"
	"slices"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
)

// Provider calls the models of one configured place. It is safe for concurrent
// use.
type Provider interface {
	// Info describes the provider.
	Info() Info

	// Generate makes one model call and pushes what comes into sink: one chunk
	// per read from the provider, started in the first, in the order of the
	// event grammar. A chunk is the sink's for the duration of its call, and
	// the sink may change its events. A chunk with neither events nor raw half
	// is a sign of life: the provider is there and has nothing to say yet.
	//
	// It returns nil after a chunk whose last event is finished or failed.
	// Otherwise an error: the sink's own, or an *Error, or whatever came of a
	// cancelled context. When ctx is done the connection to the provider is
	// closed at once.
	Generate(ctx context.Context, call *Call, sink Sink) error

	// Embed makes one call for vectors. Errors are like Generate's.
	Embed(ctx context.Context, call *EmbedCall) (*gptv1.EmbedResponse, error)

	// Models asks which models there are: provider_model is set, and whatever
	// else the provider tells. Errors are like Generate's.
	Models(ctx context.Context) ([]*gptv1.Model, error)
}

// Sink takes the chunks of one answer, one at a time.
type Sink func(*conversationv1.Chunk) error

// Info describes a provider.
type Info struct {
	// Name is how the configuration calls it.
	Name string
	// Kind is the adapter: "openai", "anthropic", "ollama", "echo".
	Kind string
	// BaseURL is where it is, without credentials. Empty where it is nowhere.
	BaseURL string
	// Wire is the dialect that it speaks.
	Wire conversationv1.Wire
	// AlsoWires are further dialects whose raw turns it takes as they are.
	AlsoWires []conversationv1.Wire
	// Test marks the built-in provider that makes no real answers.
	Test bool
}

// Speaks says that raw turns of a dialect can be handed to the provider.
func (i *Info) Speaks(wire conversationv1.Wire) bool {
	return wire != conversationv1.Wire_WIRE_UNSPECIFIED && (wire == i.Wire || slices.Contains(i.AlsoWires, wire))
}

// Call is one model call. It is read-only for the adapter.
type Call struct {
	// Turn is what is asked.
	Turn *conversationv1.Turn
	// Model is the provider's own name of the model.
	Model string
	// Quirks are deviations of the model, beside those of its provider.
	Quirks []string
	// FillInMiddle says that the model is known to fill gaps.
	FillInMiddle bool
	// MaxOutputTokens is the model's own limit, sent where the wire demands one
	// and the turn has none. 0 where unknown.
	MaxOutputTokens int64
}

// EmbedCall is one call for vectors. It is read-only for the adapter.
type EmbedCall struct {
	// Request is what is asked.
	Request *gptv1.EmbedRequest
	// Model is the provider's own name of the model.
	Model string
}
