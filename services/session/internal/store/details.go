package store

import (
	"fmt"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"google.golang.org/protobuf/proto"
)

// EncodeDetails returns what the tables keep of preferences and metadata: a
// Session of the contract with these two fields; nil when both are empty.
func (s *Session) EncodeDetails() ([]byte, error) {
	if len(s.Preferences.GetFields()) == 0 && len(s.Metadata) == 0 {
		return nil, nil
	}
	return proto.Marshal(&sessionv1.Session{Preferences: s.Preferences, Metadata: s.Metadata})
}

// DecodeDetails sets preferences and metadata from what EncodeDetails gave.
func (s *Session) DecodeDetails(raw []byte) error {
	s.Preferences, s.Metadata = nil, nil
	if len(raw) == 0 {
		return nil
	}
	details := &sessionv1.Session{}
	if err := proto.Unmarshal(raw, details); err != nil {
		return fmt.Errorf("session %q: details: %w", s.ID, err)
	}
	s.Preferences, s.Metadata = details.Preferences, details.Metadata
	return nil
}
