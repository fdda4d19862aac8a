// Package digest tells repeated requests for a chosen session id from different
// ones.
package digest

import (
	"crypto/sha256"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"google.golang.org/protobuf/proto"
)

// Create tells requests for one session id apart by what they ask for.
// It leaves out what CreateSession ignores.
func Create(req *sessionv1.CreateSessionRequest, userID string) ([]byte, error) {
	fields := req.GetSession()
	plain := &sessionv1.CreateSessionRequest{
		UserId: userID,
		Session: &sessionv1.Session{
			Title: fields.GetTitle(), Metadata: fields.GetMetadata(),
			IdleTimeout: fields.GetIdleTimeout(), ExpireTime: fields.GetExpireTime(),
		},
	}
	if len(fields.GetPreferences().GetFields()) > 0 {
		plain.Session.Preferences = fields.GetPreferences()
	}
	for _, m := range req.GetMessages() {
		plain.Messages = append(plain.Messages, &conversationv1.Message{
			Id: m.GetId(), Role: m.GetRole(), Parts: m.GetParts(), Name: m.GetName(),
			WireRole: m.GetWireRole(), ExtraJson: m.GetExtraJson(),
		})
	}
	return sum("create", plain)
}

// Fork is Create for ForkSession.
func Fork(req *sessionv1.ForkSessionRequest) ([]byte, error) {
	return sum("fork", &sessionv1.ForkSessionRequest{
		SessionId: req.GetSessionId(), MessageId: req.GetMessageId(), Title: req.GetTitle(),
	})
}

func sum(how string, m proto.Message) ([]byte, error) {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	h.Write([]byte(how))
	h.Write([]byte{0})
	h.Write(raw)
	return h.Sum(nil), nil
}
