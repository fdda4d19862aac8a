package message

import (
	"fmt"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/gen/packing"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// New returns m under id as the room keeps and returns it: the output fields
// are left out until Place sets them. It shares m's parts, which nobody
// changes.
func New(m *conversationv1.Message, id string) *conversationv1.Message {
	return &conversationv1.Message{
		Id: id, Role: m.GetRole(), Parts: m.GetParts(), Name: m.GetName(),
		WireRole: m.GetWireRole(), ExtraJson: m.GetExtraJson(),
	}
}

// Encode returns what the store keeps of a message made by New; its place in
// a session is left open. An error means text that is not UTF-8.
func Encode(m *conversationv1.Message) (*store.Message, error) {
	body, err := packing.Append(nil, m)
	if err != nil {
		return nil, err
	}
	return &store.Message{ID: m.GetId(), Role: int16(m.GetRole()), Tokens: Tokens(m), Body: body}, nil
}

// Place sets the output fields of a message from what the store keeps.
func Place(m *conversationv1.Message, stored *store.Message) *conversationv1.Message {
	m.CreateTime, m.Version = timestamppb.New(stored.CreateTime), stored.Version
	return m
}

// Decode returns a stored message as the contract has it. Its text lies in the body.
func Decode(stored *store.Message) (*conversationv1.Message, error) {
	m := &conversationv1.Message{}
	if err := packing.UnmarshalLasting(stored.Body, m); err != nil {
		return nil, fmt.Errorf("message %q: %w", stored.ID, err)
	}
	return Place(m, stored), nil
}
