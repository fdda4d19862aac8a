package wire_test

import (
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Copies made field by field must not fall behind the contract.
func TestCopies(t *testing.T) {
	t.Parallel()
	usage, started := new(conversationv1.Usage), new(conversationv1.Started)
	for range 2 {
		if got := wire.CopyUsage(usage); got == usage || !proto.Equal(got, usage) {
			t.Errorf("%v was copied as %v", usage, got)
		}
		if got := wire.CopyStarted(started); got == started || !proto.Equal(got, started) {
			t.Errorf("%v was copied as %v", started, got)
		}
		fill(usage.ProtoReflect())
		fill(started.ProtoReflect())
	}
	if copied := wire.CopyStarted(started); &copied.DroppedFields[0] == &started.DroppedFields[0] || copied.CreateTime == started.CreateTime {
		t.Error("the copy shares what can change")
	}
	usage.ProtoReflect().SetUnknown([]byte{0xf8, 0x07, 1})
	started.CreateTime.ProtoReflect().SetUnknown([]byte{0xf8, 0x07, 1})
	if !proto.Equal(wire.CopyUsage(usage), usage) || !proto.Equal(wire.CopyStarted(started), started) {
		t.Error("what is not known was lost")
	}
	if wire.CopyUsage(nil) != nil || wire.CopyStarted(nil) != nil {
		t.Error("nothing was copied as something")
	}
}

// fill sets every field.
func fill(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		var v protoreflect.Value
		switch f.Kind() {
		case protoreflect.StringKind:
			v = protoreflect.ValueOfString(string(f.Name()))
		case protoreflect.BoolKind:
			v = protoreflect.ValueOfBool(true)
		case protoreflect.EnumKind:
			v = protoreflect.ValueOfEnum(1)
		case protoreflect.Int32Kind:
			v = protoreflect.ValueOfInt32(int32(i + 1))
		case protoreflect.Int64Kind:
			v = protoreflect.ValueOfInt64(int64(i + 1))
		case protoreflect.MessageKind:
			fill(m.Mutable(f).Message())
			continue
		default:
			panic("a kind of field that the test does not know: " + f.Kind().String())
		}
		if f.IsList() {
			m.Mutable(f).List().Append(v)
			continue
		}
		m.Set(f, v)
	}
}
