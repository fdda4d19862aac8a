package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
)

// fill sets every field of a message, down to a depth.
func fill(m protoreflect.Message, depth int) {
	for i := range m.Descriptor().Fields().Len() {
		field := m.Descriptor().Fields().Get(i)
		switch {
		case field.IsMap():
			continue
		case field.IsList():
			list := m.Mutable(field).List()
			if field.Message() == nil {
				list.Append(scalar(field))
			} else if depth > 0 {
				element := list.NewElement()
				fill(element.Message(), depth-1)
				list.Append(element)
			}
		case field.Message() != nil:
			if depth > 0 {
				fill(m.Mutable(field).Message(), depth-1)
			}
		default:
			m.Set(field, scalar(field))
		}
	}
}

func scalar(field protoreflect.FieldDescriptor) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString("s" + string(field.Name()))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte("b"))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(1)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(3)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(4)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(.5)
	}
	return field.Default()
}

// TestColumnsHoldEveryField: a field that is new in the contract must be taken
// over by headOf.
func TestColumnsHoldEveryField(t *testing.T) {
	t.Parallel()
	whole := &responsev1.Response{}
	fill(whole.ProtoReflect(), 3)
	before := proto.CloneOf(whole)
	c, err := ToColumns(whole)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, whole, protocmp.Transform()); diff != "" {
		t.Errorf("the answer was changed: %s", diff)
	}
	back, err := FromColumns(c.Head, c.Messages)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole, back, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	head, err := FromColumns(c.Head, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, choice := range before.GetChoices() {
		choice.Message = nil
	}
	if diff := cmp.Diff(before, head, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkToColumns(b *testing.B) {
	whole := &responsev1.Response{}
	fill(whole.ProtoReflect(), 3)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ToColumns(whole); err != nil {
			b.Fatal(err)
		}
	}
}
