package responses

import (
	"bytes"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
)

// NewRawScanner implements wire.Codec. The dialect always gives usage, so that
// there is none to take out. An event that tells of an error is taken out, with
// all that follows it: its text is the provider's, and the failure that is found
// says what a client may see.
func (codec) NewRawScanner(wire.ScanOptions) wire.RawScanner { return &rawScanner{} }

type rawScanner struct {
	progress
	frame frame
}

// Scan implements wire.RawScanner.
func (s *rawScanner) Scan(data []byte, events []*conversationv1.Event) (pass []byte, count int, found []*conversationv1.Event, err error) {
	kept := 0
	for rest := data; len(rest) > 0 && !s.failed; {
		var event wire.ServerEvent
		event, rest = wire.NextServerEvent(rest)
		if len(event.Data) > 0 && !isDone(event.Data) {
			if s.matters(event) && !s.done {
				if events, err = s.look(events, event); err != nil {
					return nil, 0, events, err
				}
			}
			if s.failed {
				break
			}
			count++
		}
		kept += len(event.Raw)
	}
	return data[:kept], count, events, nil
}

var deltaMark = []byte(`.delta"`)

// matters says whether an event may hold what rooms act on: the first one, and
// those that are no deltas. In a JSON string a quote is escaped, so that no text
// of the model looks like a mark.
func (s *rawScanner) matters(event wire.ServerEvent) bool {
	const near = 64 // where the type stands in what every server sends
	return !s.started || !bytes.Contains(event.Data[:min(near, len(event.Data))], deltaMark)
}

// look decodes what matters of an event.
func (s *rawScanner) look(events []*conversationv1.Event, event wire.ServerEvent) ([]*conversationv1.Event, error) {
	f := &s.frame
	if err := f.scan(event.Data); err != nil {
		return events, err
	}
	var a whole
	has := a.scan(f.body, f.members[atResponse])
	events = s.begin(events, &a)
	if f.fails() {
		return s.fail(events, f), nil
	}
	if f.kind == "response.completed" || f.kind == "response.incomplete" {
		if !has {
			return events, protocol("its end holds no response", nil)
		}
		s.done = true
		if usage := a.usage(); usage != nil {
			events = append(events, usageEvent(usage))
		}
	}
	return events, nil
}

// End implements wire.RawScanner.
func (s *rawScanner) End(events []*conversationv1.Event) ([]*conversationv1.Event, error) {
	if s.failed {
		return events, nil
	}
	if !s.done {
		return events, truncated()
	}
	return append(events, &conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}}), nil
}
