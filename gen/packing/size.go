package packing

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// SizeVarint is the length of a number.
func SizeVarint(v uint64) int { return protowire.SizeVarint(v) }

// SizeBytes is the length of something n bytes long and of what tells its length.
func SizeBytes(n int) int { return protowire.SizeVarint(uint64(n)) + n }

// SizeForeign is that of a message of another library.
func SizeForeign(m proto.Message) int { return SizeBytes(proto.Size(m)) }

// SizeTimestamp is that of a time.
func SizeTimestamp(t *timestamppb.Timestamp) int { return sizePair(t.GetSeconds(), t.GetNanos(), t) }

// SizeDuration is that of a length of time.
func SizeDuration(d *durationpb.Duration) int { return sizePair(d.GetSeconds(), d.GetNanos(), d) }

func sizePair(seconds int64, nanos int32, m proto.Message) int {
	n := len(m.ProtoReflect().GetUnknown())
	if nanos != 0 {
		n += 1 + protowire.SizeVarint(uint64(nanos))
	}
	if seconds != 0 {
		n += 1 + protowire.SizeVarint(uint64(seconds))
	}
	return SizeBytes(n)
}

// IsDouble says that a double is written: all but the zero without a sign.
func IsDouble(v float64) bool { return math.Float64bits(v) != 0 }
