package store

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
)

// Clone returns a session that its caller may change.
func (s *Session) Clone() *Session {
	out := *s
	if s.Preferences != nil {
		out.Preferences = proto.CloneOf(s.Preferences)
	}
	out.Metadata = maps.Clone(s.Metadata)
	return &out
}

// Moved says whether a session was moved on, as by messages, and nothing else. It
// says no of one that has preferences or metadata.
func Moved(from, to *Session) bool {
	if from.Preferences != nil || to.Preferences != nil || len(from.Metadata)+len(to.Metadata) > 0 {
		return false
	}
	return from.UserID == to.UserID && from.Title == to.Title && from.State == to.State &&
		from.CreateTime.Equal(to.CreateTime) && from.IdleTimeout == to.IdleTimeout &&
		from.ExpireTime.Equal(to.ExpireTime) && from.EndTime.Equal(to.EndTime) &&
		from.ForkedFromSession == to.ForkedFromSession && from.ForkedFromMessage == to.ForkedFromMessage &&
		slices.Equal(from.RequestDigest, to.RequestDigest)
}
