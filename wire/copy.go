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
	return CopyUsageInto(new(conversationv1.Usage), u)
}

// CopyUsageInto is CopyUsage into memory that is there; nil where u is nil.
func CopyUsageInto(dst, u *conversationv1.Usage) *conversationv1.Usage {
	if u == nil {
		return nil
	}
	if len(u.ProtoReflect().GetUnknown()) > 0 {
		return proto.CloneOf(u)
	}
	dst.InputTokens, dst.OutputTokens, dst.CachedInputTokens = u.InputTokens, u.OutputTokens, u.CachedInputTokens
	dst.CacheWriteTokens, dst.ReasoningTokens, dst.Source = u.CacheWriteTokens, u.ReasoningTokens, u.Source
	return dst
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
