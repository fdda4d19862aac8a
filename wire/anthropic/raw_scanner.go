package anthropic

import (
	"bytes"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
)

// rawScanner watches the events of one answer.
type rawScanner struct{ progress }

// Scan implements wire.RawScanner. Blocks and pings, known by their names, are
// not looked into. An error event and what follows it are not passed on.
func (s *rawScanner) Scan(data []byte, events []*conversationv1.Event) ([]byte, int, []*conversationv1.Event, error) {
	passed, count := 0, 0
	for rest := data; len(rest) > 0 && !s.failed; {
		var event wire.ServerEvent
		event, rest = wire.NextServerEvent(rest)
		if len(event.Data) > 0 {
			var err error
			if events, err = s.watch(events, event); err != nil {
				return data[:passed], count, events, err
			}
			if s.failed {
				break
			}
			count++
		}
		passed = len(data) - len(rest)
	}
	return data[:passed], count, events, nil
}

func (s *rawScanner) watch(dst []*conversationv1.Event, event wire.ServerEvent) ([]*conversationv1.Event, error) {
	if s.started && (bytes.HasPrefix(event.Name, []byte("content_block_")) || string(event.Name) == "ping") {
		return dst, nil
	}
	kind, err := s.scan(event.Data)
	if err != nil {
		return dst, err
	}
	switch {
	case string(kind) == "error":
		return s.fail(dst, event.Data), nil
	case s.done:
		return dst, nil
	case string(kind) == "message_start":
		return s.start(dst, event.Data)
	case string(kind) == "message_delta" && s.started:
		return s.delta(dst, event.Data), nil
	case string(kind) == "message_stop" && s.started:
		s.done = true
		return dst, nil
	case bytes.HasPrefix(kind, []byte("content_block_")) && !s.started, bytes.HasPrefix(kind, []byte("message_")) && !s.started:
		return dst, protocol("an event before message_start", nil)
	}
	return dst, nil
}

// End implements wire.RawScanner.
func (s *rawScanner) End(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	return s.end(dst)
}
