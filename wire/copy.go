package wire

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// CopyUsage is proto.CloneOf, for every turn.
func CopyUsage(u *conversationv1.Usage) *conversationv1.Usage {
	if u == nil {
		return nil
	}
	if len(u.ProtoReflect().GetUnknown()) > 0 {
		return proto.CloneOf(u)
	}
	return &conversationv1.Usage{
		InputTokens: u.InputTokens, OutputTokens: u.OutputTokens, CachedInputTokens: u.CachedInputTokens,
		CacheWriteTokens: u.CacheWriteTokens, ReasoningTokens: u.ReasoningTokens, Source: u.Source,
	}
}

// CopyStarted is proto.CloneOf, for every turn.
func CopyStarted(s *conversationv1.Started) *conversationv1.Started {
	if s == nil {
		return nil
	}
	if len(s.ProtoReflect().GetUnknown()) > 0 || len(s.CreateTime.ProtoReflect().GetUnknown()) > 0 {
		return proto.CloneOf(s)
	}
	out := &conversationv1.Started{
		ResponseId: s.ResponseId, Model: s.Model, Provider: s.Provider, ProviderResponseId: s.ProviderResponseId,
		AttemptId: s.AttemptId, DroppedFields: append([]string(nil), s.DroppedFields...), Cached: s.Cached,
		SessionId: s.SessionId, Target: s.Target, AttemptNumber: s.AttemptNumber,
	}
	if t := s.CreateTime; t != nil {
		out.CreateTime = &timestamppb.Timestamp{Seconds: t.Seconds, Nanos: t.Nanos}
	}
	return out
}
