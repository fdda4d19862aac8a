package request

import (
	"fmt"
	"strconv"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/protobuf/proto"
)

// validate checks what the rules on the contract's fields cannot say. The
// error is a fault that names the field; warnings are remarks.
func (s *Service) validate(req *requestv1.SubmitRequest) (warnings []string, err error) {
	turn := req.GetTurn()
	switch raw := turn.GetRaw(); {
	case turn == nil:
		return nil, fault.InvalidField("turn", "is required")
	case raw == nil && len(turn.GetMessages()) == 0:
		return nil, fault.InvalidField("turn.messages", "at least one message or the raw half is required")
	case raw != nil && len(raw.GetBody()) == 0:
		return nil, fault.InvalidField("turn.raw.body", "is empty")
	case raw != nil && len(raw.GetBody()) > s.cfg.MaxTurnBytes:
		return nil, tooLarge("turn.raw.body", s.cfg.MaxTurnBytes)
	case raw != nil && s.deps.Codec(raw.GetWire()) == nil:
		return nil, fault.InvalidField("turn.raw.wire", "is not a wire that this mesh knows")
	case raw == nil && proto.Size(turn) > s.cfg.MaxTurnBytes:
		return nil, tooLarge("turn", s.cfg.MaxTurnBytes)
	}
	if t := req.GetTimeout(); t != nil && (t.AsDuration() <= 0 || t.AsDuration() > s.cfg.MaxTimeout) {
		return nil, fault.InvalidField("timeout", "must be more than 0 and at most "+s.cfg.MaxTimeout.String())
	}
	user := "turn.user"
	if req.GetWireBounds() != conversationv1.Wire_WIRE_UNSPECIFIED {
		user = "user" // as the wires have it
	}
	if err := fault.CheckTexts(user, turn.GetUser(), "user_id", req.GetUserId(), "session_id", req.GetSessionId(),
		"idempotency_key", req.GetIdempotencyKey()); err != nil {
		return nil, err
	}
	if err := validateMessages(turn.GetMessages()); err != nil {
		return nil, err
	}
	// A face has checked what came over its wire by the bounds of that wire.
	if req.GetWireBounds() != conversationv1.Wire_WIRE_UNSPECIFIED {
		return nil, nil
	}
	return s.cfg.Bounds.check(turn)
}

// check holds the sampling of a turn to the room's bounds.
func (b Bounds) check(turn *conversationv1.Turn) (warnings []string, err error) {
	if sampling := turn.GetSampling(); sampling != nil && sampling.Temperature != nil {
		t := sampling.GetTemperature()
		if !(t >= 0 && t <= b.TemperatureMax) {
			return nil, fault.InvalidField("turn.sampling.temperature", "must be from 0 to "+number(b.TemperatureMax))
		}
		if t < b.TemperatureWarnBelow || t > b.TemperatureWarnAbove {
			warnings = append(warnings, fmt.Sprintf("turn.sampling.temperature: %s is outside %s to %s, where answers are most useful",
				number(t), number(b.TemperatureWarnBelow), number(b.TemperatureWarnAbove)))
		}
	}
	if sampling := turn.GetSampling(); sampling != nil && sampling.TopP != nil {
		if p := sampling.GetTopP(); !(p >= 0 && p <= 1) {
			return nil, fault.InvalidField("turn.sampling.top_p", "must be from 0 to 1")
		}
	}
	if turn.MaxOutputTokens != nil {
		n := turn.GetMaxOutputTokens()
		if n <= 0 {
			return nil, fault.InvalidField("turn.max_output_tokens", "must be more than 0")
		}
		if b.MaxOutputTokens > 0 && n > b.MaxOutputTokens {
			return nil, fault.InvalidField("turn.max_output_tokens", "must be at most "+strconv.FormatInt(b.MaxOutputTokens, 10))
		}
	}
	return warnings, nil
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func validateMessages(messages []*conversationv1.Message) error {
	for i, m := range messages {
		at := fmt.Sprintf("turn.messages[%d]", i)
		if m.GetRole() == conversationv1.Role_ROLE_UNSPECIFIED {
			return fault.InvalidField(at+".role", "is required")
		}
		if len(m.GetParts()) == 0 {
			return fault.InvalidField(at+".parts", "is empty")
		}
		blank := true
		for j, part := range m.GetParts() {
			place := fmt.Sprintf("%s.parts[%d]", at, j)
			switch kind := part.GetKind().(type) {
			case nil:
				return fault.InvalidField(place, "holds nothing")
			case *conversationv1.ContentPart_Text:
				blank = blank && strings.TrimSpace(kind.Text) == ""
				continue
			case *conversationv1.ContentPart_ToolCall:
				if m.GetRole() != conversationv1.Role_ROLE_ASSISTANT {
					return fault.InvalidField(place+".tool_call", "stands in assistant messages only")
				}
				if kind.ToolCall.GetName() == "" {
					return fault.InvalidField(place+".tool_call.name", "is required")
				}
			case *conversationv1.ContentPart_ToolResult:
				if m.GetRole() != conversationv1.Role_ROLE_TOOL {
					return fault.InvalidField(place+".tool_result", "stands in tool messages only")
				}
				if kind.ToolResult.GetToolCallId() == "" && kind.ToolResult.GetToolName() == "" {
					return fault.InvalidField(place+".tool_result.tool_call_id", "is required, or tool_name")
				}
			}
			if m.GetRole() == conversationv1.Role_ROLE_TOOL && part.GetToolResult() == nil {
				return fault.InvalidField(place, "is not a tool result")
			}
			blank = false
		}
		if m.GetRole() == conversationv1.Role_ROLE_TOOL && blank {
			return fault.InvalidField(at+".parts", "holds no tool result")
		}
		if blank {
			return fault.InvalidField(at+".parts", "the text is blank")
		}
	}
	return nil
}

// validateToolResults checks that every tool result answers a call before it.
// given is where the turn's own messages begin.
func validateToolResults(messages []*conversationv1.Message, given int) error {
	calls := map[string]bool{}
	for i, m := range messages {
		for j, part := range m.GetParts() {
			if call := part.GetToolCall(); call != nil {
				calls[call.GetId()] = true
			}
			if id := part.GetToolResult().GetToolCallId(); id != "" && !calls[id] && i >= given {
				return fault.InvalidField(fmt.Sprintf("turn.messages[%d].parts[%d].tool_result.tool_call_id", i-given, j),
					"answers no tool call before it")
			}
		}
	}
	return nil
}
