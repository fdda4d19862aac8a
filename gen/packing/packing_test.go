package packing_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	_ "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	_ "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	_ "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	_ "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	_ "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/gen/packing"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// kinds are all messages of the mesh, new ones of each.
func kinds() []protoreflect.MessageType {
	var out []protoreflect.MessageType
	protoregistry.GlobalTypes.RangeMessages(func(t protoreflect.MessageType) bool {
		if strings.HasPrefix(string(t.Descriptor().FullName()), "gptmesh.") && !t.Descriptor().IsMapEntry() {
			out = append(out, t)
		}
		return true
	})
	return out
}

// TestEveryMessage: every message of the mesh is written so that the library
// reads the same, and reads the same of what the library writes.
func TestEveryMessage(t *testing.T) {
	t.Parallel()
	types := kinds()
	if len(types) < 100 {
		t.Fatalf("%d messages", len(types))
	}
	for _, kind := range types {
		t.Run(string(kind.Descriptor().FullName()), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, 2))
			for range 12 {
				m := kind.New()
				fill(m, random, 4)
				original, ok := m.Interface().(packing.Message)
				if !ok {
					t.Fatal("has no packers")
				}
				data, err := packing.Append([]byte("before"), original)
				if err != nil {
					t.Fatal(err)
				}
				data = data[len("before"):]
				if len(data) != original.PackedSize() || len(data) != proto.Size(original) {
					t.Errorf("%d bytes, PackedSize %d, the library's %d", len(data), original.PackedSize(), proto.Size(original))
				}
				same(t, "read by the library", original, func(into packing.Message) error { return proto.Unmarshal(data, into) })
				same(t, "read", original, func(into packing.Message) error { return packing.Unmarshal(data, into) })
				same(t, "left in its bytes", original, func(into packing.Message) error { return packing.UnmarshalLasting(data, into) })
				theirs, err := proto.Marshal(original)
				if err != nil {
					t.Fatal(err)
				}
				same(t, "read from the library", original, func(into packing.Message) error { return packing.Unmarshal(theirs, into) })
				// Fields that come twice are merged.
				twice := append(append([]byte(nil), theirs...), data...)
				want := kind.New().Interface()
				if err := proto.Unmarshal(twice, want); err != nil {
					t.Fatal(err)
				}
				same(t, "merged", want, func(into packing.Message) error { return packing.Unmarshal(twice, into) })
			}
		})
	}
}

func same(t *testing.T, what string, want proto.Message, read func(packing.Message) error) {
	t.Helper()
	got := want.ProtoReflect().New().Interface().(packing.Message)
	if err := read(got); err != nil {
		t.Errorf("%s: %v", what, err)
	} else if !proto.Equal(want, got) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// fill sets about half of a message's fields, and unknown ones.
func fill(m protoreflect.Message, random *rand.Rand, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		nested := f.Kind() == protoreflect.MessageKind && !f.IsMap()
		if random.IntN(2) == 0 || nested && depth == 0 {
			continue
		}
		switch {
		case f.IsMap():
			for range random.IntN(3) {
				v := value(f.MapValue(), random)
				if f.MapValue().Kind() == protoreflect.MessageKind {
					v = m.Mutable(f).Map().NewValue()
					fill(v.Message(), random, depth-1)
				}
				m.Mutable(f).Map().Set(value(f.MapKey(), random).MapKey(), v)
			}
		case f.IsList():
			for range random.IntN(4) {
				if nested {
					fill(m.Mutable(f).List().AppendMutable().Message(), random, depth-1)
				} else {
					m.Mutable(f).List().Append(value(f, random))
				}
			}
		case nested:
			fill(m.Mutable(f).Message(), random, depth-1)
		default:
			m.Set(f, value(f, random))
		}
	}
	if random.IntN(4) == 0 {
		m.SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 60000, protowire.VarintType), 7))
	}
}

func value(f protoreflect.FieldDescriptor, random *rand.Rand) protoreflect.Value {
	pick := random.IntN(5)
	n := []int64{0, 1, -1, 300, math.MaxInt64}[pick]
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(pick > 1)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(int32(n)))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(n)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(n))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32([]float32{0, 1, float32(math.Copysign(0, -1)), 0.1, float32(math.Inf(1))}[pick])
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64([]float64{0, 1, math.Copysign(0, -1), 0.1, math.Inf(-1)}[pick])
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([][]byte{{}, {0}, []byte("ab"), make([]byte, 200), {0xff, 0xfe}}[pick])
	}
	return protoreflect.ValueOfString([]string{"", "a", "größer", strings.Repeat("x", 300), "\x00"}[pick])
}

func TestBadText(t *testing.T) {
	t.Parallel()
	bad := &conversationv1.Turn{Model: "\xff"}
	if _, err := packing.Append(nil, bad); err == nil {
		t.Error("text that is not UTF-8 was written")
	}
	data := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "\xff")
	for _, kind := range kinds() {
		if f := kind.Descriptor().Fields().ByNumber(1); f == nil || f.Kind() != protoreflect.StringKind {
			continue
		}
		if err := packing.Unmarshal(data, kind.New().Interface().(packing.Message)); err == nil {
			t.Errorf("%s took text that is not UTF-8", kind.Descriptor().FullName())
		}
	}
}

// TestDepth: messages that lie within each other without end are an error, and
// no stack that grows until the process ends.
func TestDepth(t *testing.T) {
	t.Parallel()
	top := (&conversationv1.TokenLogprob{}).ProtoReflect().Descriptor().Fields().ByName("top").Number()
	var data []byte
	for range 12_000 {
		data = protowire.AppendBytes(protowire.AppendTag(nil, top, protowire.BytesType), data)
	}
	ours, theirs := packing.Unmarshal(data, &conversationv1.TokenLogprob{}), proto.Unmarshal(data, &conversationv1.TokenLogprob{})
	if ours == nil || theirs == nil {
		t.Errorf("%v, the library %v", ours, theirs)
	}
}

// TestChanged: a message that grows while it is written is an error.
func TestChanged(t *testing.T) {
	t.Parallel()
	m := &gptv1.GenerateRequest{RequestId: "a"}
	for _, size := range []int{m.PackedSize() - 1, m.PackedSize() + 1} {
		if err := packing.Into(make([]byte, size), m); err == nil {
			t.Errorf("written into %d bytes", size)
		}
	}
}

func TestCodec(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 40_000)
	var codec packing.Codec
	for _, id := range []string{"", "a", long} {
		data, err := codec.Marshal(&gptv1.GenerateRequest{RequestId: id, Turn: &conversationv1.Turn{Model: "m"}})
		if err != nil {
			t.Fatal(err)
		}
		// As it comes from frames: in pieces.
		whole := data.Materialize()
		data.Free()
		var pieces mem.BufferSlice
		for len(whole) > 0 {
			n := min(len(whole), 16384)
			pieces = append(pieces, mem.SliceBuffer(whole[:n]))
			whole = whole[n:]
		}
		got := &gptv1.GenerateRequest{ResponseId: "of before"}
		if err := codec.Unmarshal(pieces, got); err != nil {
			t.Fatal(err)
		}
		if want := (&gptv1.GenerateRequest{RequestId: id, Turn: &conversationv1.Turn{Model: "m"}}); !proto.Equal(got, want) {
			t.Errorf("got %.100v", got)
		}
	}
	if err := codec.Unmarshal(mem.BufferSlice{mem.SliceBuffer{0xff}}, &gptv1.GenerateRequest{}); err == nil || errors.Unwrap(err) == nil {
		t.Errorf("broken bytes: %v", err)
	}
}

// FuzzUnmarshal: bytes are taken, or refused, as the library does it.
func FuzzUnmarshal(f *testing.F) {
	chunk := &gptv1.GenerateResponse{}
	fill(chunk.ProtoReflect(), rand.New(rand.NewPCG(3, 4)), 6)
	request := &gptv1.GenerateRequest{}
	fill(request.ProtoReflect(), rand.New(rand.NewPCG(5, 6)), 6)
	for _, m := range []proto.Message{chunk, request} {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, kind := range []packing.Message{&gptv1.GenerateResponse{}, &gptv1.GenerateRequest{}} {
			theirs := kind.ProtoReflect().New().Interface()
			ours := kind.ProtoReflect().New().Interface().(packing.Message)
			want, got := proto.Unmarshal(data, theirs), packing.Unmarshal(data, ours)
			if (want == nil) != (got == nil) {
				t.Fatalf("%T: %v, the library %v", kind, got, want)
			}
			if want == nil && !proto.Equal(theirs, ours) {
				t.Fatalf("%T: %v, the library %v", kind, ours, theirs)
			}
		}
	})
}

func BenchmarkCodec(b *testing.B) {
	turn := &gptv1.GenerateRequest{RequestId: "req_0123456789abcdef", ResponseId: "resp_0123456789abcdef", Turn: &conversationv1.Turn{
		Model: "mock", User: "someone", Raw: &conversationv1.RawTurn{Body: make([]byte, 4096)},
	}}
	chunk := &gptv1.GenerateResponse{Chunk: &conversationv1.Chunk{
		Sequence: 7, Raw: &conversationv1.RawChunk{Wire: 1, Form: 1, Data: make([]byte, 200), EventCount: 1},
	}}
	for name, m := range map[string]packing.Message{"turn": turn, "chunk": chunk} {
		data, _ := proto.Marshal(m)
		into := m.ProtoReflect().New().Interface().(packing.Message)
		buffer := make([]byte, 0, len(data))
		b.Run(name+"/pack", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = packing.Append(buffer, m)
			}
		})
		b.Run(name+"/library's marshal", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = proto.MarshalOptions{}.MarshalAppend(buffer, m)
			}
		})
		b.Run(name+"/unpack", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = packing.Unmarshal(data, into)
			}
		})
		b.Run(name+"/unpack a copy", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = packing.UnmarshalLasting(append([]byte(nil), data...), into)
			}
		})
		b.Run(name+"/library's unmarshal", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = proto.Unmarshal(data, into)
			}
		})
	}
}
