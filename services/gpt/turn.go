package gpt

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"google.golang.org/grpc/codes"
)

// turnFor returns the turn in a half that the provider takes: the raw one of
// its own dialect as it is, else the typed one without the raw.
//
// An answer that may have to be continued is wanted in the typed half.
func turnFor(turn *conversationv1.Turn, info *provider.Info) (*conversationv1.Turn, error) {
	if turn.GetOnFailure() == conversationv1.OnFailure_ON_FAILURE_CONTINUE && turn.GetAcceptWire() != 0 {
		turn = unwired(turn)
	}
	if turn.GetRaw() != nil && info.Speaks(turn.GetRaw().GetWire()) {
		return turn, nil
	}
	out, err := typed(turn)
	if err == nil && asksToCompact(out) && !info.Speaks(conversationv1.Wire_WIRE_OPENAI_RESPONSES) {
		return nil, fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED,
			"input: compaction_trigger needs OpenAI's own /responses, which the provider "+info.Name+" does not have: let the client compact the conversation itself",
			"field", "input", "provider", info.Name)
	}
	return out, err
}

// compactionTrigger is the item at the end of an input that has OpenAI sum the
// conversation up, instead of answering, in an item that only it can read.
const compactionTrigger = "compaction_trigger"

// asksToCompact says that the last part of a turn is that item. Left out as others are
// that a dialect has no place for, it would cost a call whose answer the client has no
// use for.
func asksToCompact(turn *conversationv1.Turn) bool {
	messages := turn.GetMessages()
	if len(messages) == 0 {
		return false
	}
	parts := messages[len(messages)-1].GetParts()
	return len(parts) > 0 && parts[len(parts)-1].GetOpaque().GetWireType() == compactionTrigger
}

// typed returns a turn with its typed half alone, decoding the raw one where
// that is all there is. The head counts where it says something.
func typed(turn *conversationv1.Turn) (*conversationv1.Turn, error) {
	if turn.GetRaw() == nil {
		return turn, nil
	}
	if len(turn.GetMessages()) > 0 {
		return withoutRaw(turn), nil
	}
	codec := codecOf(turn.GetRaw().GetWire())
	if codec == nil {
		return nil, fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED,
			"turn.raw.wire: this dialect cannot be translated", "field", "turn.raw.wire", "model", turn.GetModel())
	}
	out, err := codec.DecodeTurn(turn.GetRaw().GetBody())
	if err != nil {
		return nil, err
	}
	out.Model, out.Stream, out.AcceptWire = turn.GetModel(), turn.GetStream(), turn.GetAcceptWire()
	out.HasTools = out.GetHasTools() || turn.GetHasTools()
	out.OnFailure = turn.GetOnFailure()
	if turn.MaxOutputTokens != nil {
		out.MaxOutputTokens = turn.MaxOutputTokens
	}
	if turn.GetUser() != "" {
		out.User = turn.GetUser()
	}
	return out, nil
}

// unwired is the turn of a client that takes events alone. Nothing is copied.
func unwired(t *conversationv1.Turn) *conversationv1.Turn {
	out := withoutRaw(t)
	out.Raw, out.AcceptWire = t.GetRaw(), conversationv1.Wire_WIRE_UNSPECIFIED
	return out
}

// withoutRaw is the turn but for its raw half. Nothing is copied.
func withoutRaw(t *conversationv1.Turn) *conversationv1.Turn {
	return &conversationv1.Turn{
		Model: t.GetModel(), Messages: t.GetMessages(), Tools: t.GetTools(), ToolChoice: t.GetToolChoice(),
		ParallelToolCalls: t.ParallelToolCalls, Sampling: t.GetSampling(), ResponseFormat: t.GetResponseFormat(),
		Reasoning: t.GetReasoning(), MaxOutputTokens: t.MaxOutputTokens, Stream: t.GetStream(), AcceptWire: t.GetAcceptWire(),
		HasTools: t.GetHasTools(), User: t.GetUser(), Suffix: t.Suffix, ExtraJson: t.GetExtraJson(), ExtraWire: t.GetExtraWire(),
		RawPrompt: t.GetRawPrompt(), OnFailure: t.GetOnFailure(),
	}
}
