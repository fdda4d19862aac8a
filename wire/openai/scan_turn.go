package openai

import (
	"bytes"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// ScanTurn implements wire.Codec. A body of /v1/responses, which some clients
// post here, is refused as UNSUPPORTED.
func (chat) ScanTurn(body []byte) (*conversationv1.Turn, error) {
	var h head
	if err := h.scan(body); err != nil {
		return nil, err
	}
	made := &struct { // lives and ends as one
		turn conversationv1.Turn
		raw  conversationv1.RawTurn
	}{}
	if err := h.fill(&made.turn); err != nil {
		return nil, err
	}
	made.raw.Wire, made.raw.Body = own, body
	made.turn.AcceptWire, made.turn.Raw = own, &made.raw
	return &made.turn, nil
}

var streamOptionsKeys = jsonscan.NewKeys("include_usage")

// AsksUsage says whether the client asked for the count of tokens in its
// streamed answer (stream_options.include_usage), of chat or of legacy
// completions. It reads the raw half where that is of these dialects, else the
// members that DecodeTurn kept.
func AsksUsage(turn *conversationv1.Turn) bool {
	body := turn.GetRaw().GetBody()
	if w := turn.GetRaw().GetWire(); w != own && w != completionsWire {
		if w := turn.GetExtraWire(); w != own && w != completionsWire {
			return false
		}
		body = []byte(turn.GetExtraJson())
	}
	if !bytes.Contains(body, []byte("include_usage")) {
		return false
	}
	var h head
	return h.scan(body) == nil && h.asksUsage()
}

// asksUsage is AsksUsage of a body that was scanned.
func (h *head) asksUsage() bool {
	if h.members[atStreamOptions].Kind != jsonscan.Object {
		return false
	}
	var found [1]jsonscan.Member
	if _, err := jsonscan.ScanObject(h.body, h.members[atStreamOptions].Value, streamOptionsKeys, found[:]); err != nil {
		return false
	}
	return found[0].Kind == jsonscan.True
}

// IsResponsesBody says whether a body that ScanTurn refused is one of OpenAI's
// Responses API: it has an input, and no messages.
func IsResponsesBody(body []byte) bool {
	var h head
	return h.scan(body) == nil && h.given(atInput) && !h.given(atMessages)
}
