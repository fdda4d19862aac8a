package bedrock

import (
	"bytes"

	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// The headers of messages and the types of theirs.
const (
	headerMessage   = ":message-type"
	headerEvent     = ":event-type"
	headerException = ":exception-type"
	headerContent   = ":content-type"
	headerCode      = ":error-code"
	headerText      = ":error-message"

	typeEvent     = "event"
	typeException = "exception"
	typeError     = "error"
)

// AppendLine appends the line of a message. A message whose headers say nothing
// becomes an event of no known kind.
func AppendLine(dst []byte, frame *eventstream.Frame) []byte {
	name, payload := frame.Header(headerEvent), frame.Payload
	switch string(frame.Header(headerMessage)) {
	case typeException:
		name = frame.Header(headerException)
	case typeError:
		w := jsonbody.Writer{}
		w.Open('{')
		w.StrField("code", string(frame.Header(headerCode)))
		w.StrField("message", string(frame.Header(headerText)))
		w.Close('}')
		name, payload = []byte(typeError), w.B
	}
	if len(name) == 0 {
		name = []byte("unknown")
	}
	dst = append(jsonscan.AppendString(append(dst, '{'), string(name)), ':')
	at := len(dst)
	if dst = append(dst, bytes.TrimSpace(payload)...); len(dst) == at {
		dst = append(dst, "{}"...)
	}
	for i := at; i < len(dst); i++ { // Line ends can stand between values only.
		if dst[i] == '\n' || dst[i] == '\r' {
			dst[i] = ' '
		}
	}
	return append(dst, "}\n"...)
}

// AppendFrames appends the messages of whole lines. The error names what is no
// event.
func AppendFrames(dst, lines []byte) ([]byte, error) {
	for len(lines) > 0 {
		var line []byte
		if line, lines = nextLine(lines); len(line) == 0 {
			continue
		}
		name, payload, err := eventOf(line)
		if err != nil {
			return dst, err
		}
		if name == typeError {
			dst = appendErrorFrame(dst, line, payload)
			continue
		}
		headers := []eventstream.FrameHeader{{Name: headerEvent, Value: name}, {Name: headerContent, Value: "application/json"}, {Name: headerMessage, Value: typeEvent}}
		if isException(name) {
			headers[0].Name, headers[2].Value = headerException, typeException
		}
		dst = eventstream.AppendFrame(dst, headers, payload.Raw(line))
	}
	return dst, nil
}

var errorKeys = jsonscan.NewKeys("code", "message")

// appendErrorFrame appends the message of an error that no exception names. It
// has no payload: the headers tell all.
func appendErrorFrame(dst, line []byte, payload jsonscan.Member) []byte {
	var room [2]jsonscan.Member
	headers := []eventstream.FrameHeader{{Name: headerMessage, Value: typeError}}
	if at, err := jsonscan.ScanObject(line, payload.Value, errorKeys, room[:0]); err == nil {
		headers = append(headers, eventstream.FrameHeader{Name: headerCode, Value: jsonbody.Text(at[0], line)},
			eventstream.FrameHeader{Name: headerText, Value: jsonbody.Text(at[1], line)})
	}
	return eventstream.AppendFrame(dst, headers, nil)
}

// nextLine cuts the first line off, without its end.
func nextLine(data []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(data, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

// eventOf is the name of an event and what it holds.
func eventOf(line []byte) (name string, payload jsonscan.Member, err error) {
	if _, err := jsonscan.Scan(line, noKeys, nil); err != nil {
		return "", payload, jsonbody.Protocol("an event that is not a JSON object", err)
	}
	err = jsonscan.ForEachMember(line, jsonscan.Span{End: len(line)}, func(m jsonscan.Member) bool {
		name, payload = string(m.AppendName(nil, line)), m
		return false
	})
	if err != nil || payload.Kind != jsonscan.Object {
		return "", payload, jsonbody.Protocol("an event without content", err)
	}
	return name, payload, nil
}

var noKeys = jsonscan.NewKeys()

// isException tells an event that ends an answer with an error.
func isException(name string) bool {
	return name == typeError || len(name) > len("Exception") && name[len(name)-len("Exception"):] == "Exception"
}
