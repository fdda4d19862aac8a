package rest

import (
	"errors"
	"io"
	"reflect"
	"strconv"
	"strings"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Content types of streams.
const (
	ndjson      = "application/x-ndjson"
	eventStream = "text/event-stream"
)

// unknownField is how an error names a field that is not known.
const unknownField = `unknown field "`

// marshaler writes messages as JSON, and those of a stream as lines or events.
type marshaler struct {
	stream string
	// whole writes answers with their empty fields, so that a list that is empty
	// is there; piece writes messages of streams without them.
	whole, piece protojson.MarshalOptions
}

func newMarshaler(stream string) *marshaler {
	return &marshaler{
		stream: stream,
		whole:  protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true},
		piece:  protojson.MarshalOptions{UseProtoNames: true},
	}
}

var (
	_ runtime.Marshaler         = (*marshaler)(nil)
	_ runtime.Delimited         = (*marshaler)(nil)
	_ runtime.StreamContentType = (*marshaler)(nil)
)

var errNoMessage = errors.New("not a message")

// Marshal implements runtime.Marshaler. grpc-gateway wraps messages of streams
// in a map, and their error in another.
func (m *marshaler) Marshal(v any) ([]byte, error) {
	switch v := v.(type) {
	case proto.Message:
		return m.whole.Marshal(v)
	case map[string]any:
		message, ok := v["result"].(proto.Message)
		if !ok {
			return nil, errNoMessage
		}
		data, err := m.piece.Marshal(message)
		if err != nil || m.stream != eventStream {
			return data, err
		}
		name, id := eventOf(message)
		var event []byte
		if id > 0 {
			event = eventstream.AppendID(event, strconv.FormatInt(id, 10))
		}
		event = eventstream.AppendEvent(event, name, data)
		return event[:len(event)-1], nil // the delimiter brings the last line end
	case map[string]proto.Message:
		if s, ok := v["error"].(*spb.Status); ok {
			_, body := words(status.FromProto(s).Err())
			if m.stream == eventStream {
				body = append(body, '\n')
			}
			return body, nil
		}
	}
	return nil, errNoMessage
}

// Delimiter implements runtime.Delimited.
func (m *marshaler) Delimiter() []byte { return []byte("\n") }

// ContentType implements runtime.Marshaler.
func (m *marshaler) ContentType(any) string { return "application/json" }

// StreamContentType implements runtime.StreamContentType.
func (m *marshaler) StreamContentType(any) string { return m.stream }

// Unmarshal implements runtime.Marshaler. A field that is not known is refused.
// Where a contract names one field as the body, v points to that field.
func (m *marshaler) Unmarshal(data []byte, v any) error {
	message, ok := v.(proto.Message)
	if field := reflect.ValueOf(v); !ok && field.Kind() == reflect.Pointer && field.Elem().Kind() == reflect.Pointer {
		made := reflect.New(field.Type().Elem().Elem())
		if message, ok = made.Interface().(proto.Message); ok {
			field.Elem().Set(made)
		}
	}
	if !ok {
		return errNoMessage
	}
	if err := protojson.Unmarshal(data, message); err != nil {
		// Its texts have a prefix and, on purpose, odd spaces.
		text := strings.ReplaceAll(err.Error(), "\u00a0", " ")
		return errors.New(strings.TrimSpace(strings.TrimPrefix(text, "proto:")))
	}
	return nil
}

// NewDecoder implements runtime.Marshaler.
func (m *marshaler) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		data, err := io.ReadAll(r) // bounded by the edge
		if err != nil {
			return err
		}
		if len(data) == 0 {
			return io.EOF
		}
		return m.Unmarshal(data, v)
	})
}

// NewEncoder implements runtime.Marshaler.
func (m *marshaler) NewEncoder(w io.Writer) runtime.Encoder {
	return runtime.EncoderFunc(func(v any) error {
		data, err := m.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
}

// eventOf names a message of a stream.
func eventOf(message proto.Message) (name string, id int64) {
	switch m := message.(type) {
	case *requestv1.SubmitResponse:
		if m.GetChunk() == nil {
			return "request", 0
		}
		return "chunk", m.GetChunk().GetSequence()
	case *requestv1.WatchResponse:
		return "chunk", m.GetChunk().GetSequence()
	case *responsev1.WatchResponseResponse:
		return "chunk", m.GetChunk().GetSequence()
	case *sessionv1.WatchSessionResponse:
		return strings.ToLower(strings.TrimPrefix(m.GetKind().String(), "KIND_")), m.GetVersion()
	}
	return "message", 0
}
