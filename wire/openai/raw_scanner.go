package openai

import (
	"bytes"
	"sync"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/alike"
)

// NewRawScanner implements wire.Codec. Beside usage nobody asked for, and the
// "usage":null of all other chunks that comes with it, an event that tells of an
// error is taken out, with all that follows it: its text is the provider's, and
// the failure that is found says what a client may see.
// Events without data (comments) are passed and not counted.
func (chat) NewRawScanner(options wire.ScanOptions) wire.RawScanner {
	return newRawScanner(options)
}

func newRawScanner(options wire.ScanOptions) *rawScanner {
	s := scanners.Get().(*rawScanner)
	s.options = options
	return s
}

// scanners are those that may be used again.
var scanners = sync.Pool{New: func() any { return new(rawScanner) }}

// Release gives the scanner's memory to others: it must not be used any more. What it
// gave out stays.
func (s *rawScanner) Release() {
	s.twin.Forget()
	*s = rawScanner{prefix: s.prefix[:0], twin: s.twin}
	scanners.Put(s)
}

type rawScanner struct {
	progress
	options wire.ScanOptions
	chunk   chunk
	// prefix is what the last decoded event had before its choices. Most events
	// begin with it, and nothing in it need be looked at again.
	prefix  []byte
	twin    alike.Event // an event that held nothing but a text
	lessons int         // how often another one was looked for
	nulls   bool        // chunks say that they have no usage
}

// maxPrefix bounds the prefix that is kept.
const maxPrefix = 4096

// Scan implements wire.RawScanner.
func (s *rawScanner) Scan(data []byte, events []*conversationv1.Event) (pass []byte, count int, found []*conversationv1.Event, err error) {
	run := kept{data: data}
	for rest := data; !s.failed; {
		if size, alike := s.twin.Pass(rest); alike > 0 {
			run.keep(rest[:size])
			rest, count = rest[size:], count+alike
		}
		if len(rest) == 0 {
			break
		}
		var event wire.ServerEvent
		event, rest = wire.NextServerEvent(rest)
		if len(event.Data) == 0 {
			run.keep(event.Raw)
			continue
		}
		keep := true
		if s.matters(event) {
			if events, keep, err = s.look(events, event); err != nil {
				return nil, 0, events, err
			}
		} else {
			s.learn(event)
		}
		if keep {
			run.keep(event.Raw)
			count++
		} else {
			run.drop(event.Raw)
		}
	}
	pass = run.bytes()
	if s.nulls {
		pass = withoutNulls(pass)
	}
	return pass, count, s.giveUsage(events), nil
}

// The null that chunks have where usage was asked for, as Go and JavaScript write it
// and as Python does. In a JSON string its quotes would be escaped.
var nullUsages = [...][]byte{[]byte(`,"usage":null`), []byte(`, "usage": null`)}

// withoutNulls is a copy of data without the nulls, or data itself where there are none.
func withoutNulls(data []byte) []byte {
	for _, null := range nullUsages {
		if bytes.Contains(data, null) {
			data = bytes.ReplaceAll(data, null, nil)
		}
	}
	return data
}

// learn reads an event that does not matter: those that differ from it in their
// text alone do not either.
func (s *rawScanner) learn(event wire.ServerEvent) {
	if s.lessons >= alike.MaxLessons || s.twin.HasPrefix(event.Data) {
		return
	}
	s.lessons++
	c := &s.chunk
	if c.scan(event.Data) != nil || len(c.body) != len(event.Data) || c.members[atChoices].Kind != jsonscan.Array {
		return
	}
	choices := 0
	var text jsonscan.Member
	err := jsonscan.ForEachElement(c.body, c.members[atChoices].Value, func(m jsonscan.Member) bool {
		choices++
		text = textOf(c.body, m)
		return choices < 2
	})
	if err == nil && choices == 1 && text.Kind == jsonscan.String {
		s.twin.Learn(twinLead, c.body, text.Value.Start+1, text.Value.End-1)
	}
}

// textOf is the text of a choice's delta, if it has one.
func textOf(body []byte, at jsonscan.Member) (text jsonscan.Member) {
	var c choice
	if c.scan(body, at) != nil || c.members[atDelta].Kind != jsonscan.Object {
		return text
	}
	var room [deltaMembers]jsonscan.Member
	if _, err := jsonscan.ScanObject(body, c.members[atDelta].Value, deltaKeys, room[:]); err != nil {
		return text
	}
	return room[atContent]
}

// The marks. They are the ends of member names: a search for the rarer letter is
// faster than one for a quote.
var (
	errorMark  = []byte(`rror"`)
	usageMark  = []byte(`usage"`)
	finishMark = []byte(`_reason"`)
	indexMark  = []byte(`x"`)
)

// matters says whether an event may hold what rooms act on. In a JSON string a
// quote is escaped, so that no text of the model looks like a mark.
func (s *rawScanner) matters(event wire.ServerEvent) bool {
	if !s.started || event.Data[0] != '{' || event.Name != nil {
		return true
	}
	data := bytes.TrimPrefix(event.Data, s.prefix)
	return bytes.Contains(data, errorMark) ||
		marked(data, usageMark, 'n') ||
		marked(data, finishMark, 'n') ||
		marked(data, indexMark, '0')
}

// marked says whether a mark is followed by a value that does not begin with a
// byte.
func marked(data, mark []byte, but byte) bool {
	for {
		i := bytes.Index(data, mark)
		if i < 0 {
			return false
		}
		data = skipSpace(data[i+len(mark):])
		if len(data) == 0 || data[0] != ':' {
			continue // It is a value's end, not a name's.
		}
		data = skipSpace(data[1:])
		if len(data) > 0 && data[0] != but {
			return true
		}
	}
}

func skipSpace(data []byte) []byte {
	for len(data) > 0 && (data[0] == ' ' || data[0] == '\t' || data[0] == '\n' || data[0] == '\r') {
		data = data[1:]
	}
	return data
}

// look decodes what matters of an event and says whether it is passed on.
func (s *rawScanner) look(events []*conversationv1.Event, event wire.ServerEvent) ([]*conversationv1.Event, bool, error) {
	if isDone(event.Data) {
		s.done = true
		return events, true, nil
	}
	c := &s.chunk
	if err := c.scan(event.Data); err != nil {
		return events, false, err
	}
	if at := c.members[atChoices]; at.Kind == jsonscan.Array && at.Value.Start < maxPrefix && len(c.body) == len(event.Data) {
		s.prefix = append(s.prefix[:0], c.body[:at.Value.Start+1]...)
	}
	failed := c.fails() || string(event.Name) == "error"
	s.nulls = s.nulls || s.options.DropUsage && c.members[atUsage].Kind == jsonscan.Null
	if !s.started {
		if !failed && !c.begins() {
			return events, true, nil
		}
		s.started = true
		event, _ := c.started(nil)
		events = append(events, event)
	}
	usage := c.findUsage()
	if usage != nil {
		s.usage = usage
	}
	if failed {
		return s.fail(events, providerError(c.body, 0)), false, nil
	}
	broken, err := s.choices()
	if err != nil {
		return events, false, err
	}
	if broken {
		return s.fail(events, gaveUp()), false, nil
	}
	return events, !s.options.DropUsage || usage == nil || c.hasChoices(), nil
}

// choices notes which choices there are and which have ended.
func (s *rawScanner) choices() (broken bool, err error) {
	at := s.chunk.members[atChoices]
	if at.Kind != jsonscan.Array {
		return false, nil
	}
	var failed error
	err = jsonscan.ForEachElement(s.chunk.body, at.Value, func(m jsonscan.Member) bool {
		var c choice
		if failed = c.scan(s.chunk.body, m); failed != nil {
			return false
		}
		s.seen.add(c.index)
		if ending, ends := c.ending(); ends {
			s.ended.add(c.index)
			broken = broken || ending.broken
		}
		if c.members[atChoiceUsage].Kind == jsonscan.Object && s.usage == nil {
			s.usage = decodeUsage(c.body, c.members[atChoiceUsage])
		}
		return true
	})
	if failed == nil && err != nil {
		failed = protocol("choices cannot be read", err)
	}
	return broken, failed
}

// End implements wire.RawScanner.
func (s *rawScanner) End(events []*conversationv1.Event) ([]*conversationv1.Event, error) {
	if s.failed {
		return events, nil
	}
	if !s.whole() {
		return events, truncated()
	}
	if !s.started {
		s.started = true
		events = append(events, &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{}}})
	}
	return append(events, &conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}}), nil
}

// kept gathers the events that are passed on, without copying where they stand
// side by side.
type kept struct {
	data []byte
	at   int // what was looked at
	from int // the run that is kept
	to   int
	out  []byte // runs before it
}

func (k *kept) keep(raw []byte) {
	if k.to == k.from {
		k.from = k.at
	} else if k.to < k.at {
		k.out = append(k.out, k.data[k.from:k.to]...)
		k.from = k.at
	}
	k.at += len(raw)
	k.to = k.at
}

func (k *kept) drop(raw []byte) { k.at += len(raw) }

func (k *kept) bytes() []byte {
	if k.out == nil {
		return k.data[k.from:k.to]
	}
	return append(k.out, k.data[k.from:k.to]...)
}
