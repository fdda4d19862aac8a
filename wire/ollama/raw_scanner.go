package ollama

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// rawScanner watches the lines of one answer.
type rawScanner struct{ lines }

// Scan implements wire.RawScanner. Every line is checked to be a JSON object.
// An error line and what follows it are not passed on.
func (s *rawScanner) Scan(data []byte, events []*conversationv1.Event) ([]byte, int, []*conversationv1.Event, error) {
	passed, count := 0, 0
	for rest := data; len(rest) > 0 && !s.failed; {
		var line []byte
		line, rest = nextLine(rest)
		if len(line) > 0 {
			was := s.done
			var err error
			if events, err = s.begin(events, line); err != nil {
				return data[:passed], count, events, err
			}
			if s.failed {
				break
			}
			if !was && s.at[lineDone].Kind == jsonscan.True {
				if usage := s.last(); usage != nil {
					events = append(events, usageEvent(usage))
				}
			}
			count++
		}
		passed = len(data) - len(rest)
	}
	return data[:passed], count, events, nil
}
