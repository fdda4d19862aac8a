package bedrock

import (
	"bytes"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// rawScanner watches the events of one answer.
type rawScanner struct{ progress }

// blockPrefix is how the events of blocks begin.
var blockPrefix = []byte(`{"contentBlock`)

// Scan implements wire.RawScanner. Blocks, known by how their lines begin, are
// not looked into. An error and what follows it are not passed on.
func (s *rawScanner) Scan(data []byte, found []*conversationv1.Event) ([]byte, int, []*conversationv1.Event, error) {
	passed, count := 0, 0
	for rest := data; len(rest) > 0 && !s.failed; {
		var line []byte
		if line, rest = nextLine(rest); len(line) > 0 {
			var err error
			if found, err = s.watch(found, line); err != nil {
				return data[:passed], count, found, err
			}
			if s.failed {
				break
			}
			count++
		}
		passed = len(data) - len(rest)
	}
	return data[:passed], count, found, nil
}

func (s *rawScanner) watch(dst []*conversationv1.Event, line []byte) ([]*conversationv1.Event, error) {
	if s.started && bytes.HasPrefix(line, blockPrefix) {
		return dst, nil
	}
	name, payload, err := eventOf(line)
	switch {
	case err != nil:
		return dst, err
	case isException(name):
		return s.fail(dst, name), nil
	case name == "messageStart":
		return s.start(dst)
	case !s.started:
		return dst, jsonbody.Protocol("an event before messageStart", nil)
	case name == "metadata":
		return s.metadata(dst, line, payload), nil
	case name == "messageStop" && !s.done:
		return dst, s.messageStop(line, payload)
	}
	return dst, nil
}

// End implements wire.RawScanner.
func (s *rawScanner) End(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	return s.end(dst)
}
