//go:build meshclone

package caller

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func cloned[T any](m *T) *T {
	if m == nil {
		return nil
	}
	if p, ok := any(m).(proto.Message); ok {
		return any(proto.Clone(p)).(*T)
	}
	return m
}

// wipe makes a message that somebody kept beyond its sink plainly wrong: it is
// empty then, as are those within it, and its bytes are others.
func wipe[T any](m *T) {
	if p, ok := any(m).(proto.Message); ok {
		wipeMessage(p.ProtoReflect())
	}
}

func wipeMessage(m protoreflect.Message) {
	if !m.IsValid() {
		return
	}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap():
			value.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				wipeValue(field.MapValue().Kind(), v)
				return true
			})
		case field.IsList():
			for i := range value.List().Len() {
				wipeValue(field.Kind(), value.List().Get(i))
			}
		default:
			wipeValue(field.Kind(), value)
		}
		return true
	})
	proto.Reset(m.Interface())
}

func wipeValue(kind protoreflect.Kind, v protoreflect.Value) {
	switch kind {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		wipeMessage(v.Message())
	case protoreflect.BytesKind:
		for i, b := range v.Bytes() {
			v.Bytes()[i] = ^b
		}
	}
}
