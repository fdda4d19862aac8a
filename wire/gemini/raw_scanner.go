package gemini

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
)

// rawScanner watches the chunks of one answer.
type rawScanner struct{ progress }

// Scan implements wire.RawScanner. What candidates say is not looked into. A
// chunk that ends the answer with an error, and what follows it, is not passed
// on.
func (s *rawScanner) Scan(data []byte, found []*conversationv1.Event) ([]byte, int, []*conversationv1.Event, error) {
	passed, count := 0, 0
	for rest := data; len(rest) > 0 && !s.failed; {
		var event wire.ServerEvent
		event, rest = wire.NextServerEvent(rest)
		if len(event.Data) > 0 {
			var err error
			if found, err = s.chunk(found, event.Data, nil); err != nil {
				return data[:passed], count, s.giveUsage(found), err
			}
			if s.failed {
				break
			}
			count++
		}
		passed = len(data) - len(rest)
	}
	return data[:passed], count, s.giveUsage(found), nil
}

// End implements wire.RawScanner.
func (s *rawScanner) End(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	return s.end(dst, false)
}
