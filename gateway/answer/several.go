package answer

import (
	"context"
	"net/http"
	"sync"

	"github.com/gptmesh/gptmesh/gateway/edge"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// severalAtOnce bounds how many turns of one answer run at the same time.
const severalAtOnce = 4

// Several are turns that are answered as one.
type Several struct {
	// Exchange is where they came from.
	Exchange *edge.Exchange
	// Requests are what is submitted, at least one, all streamed or none. Their
	// turns must accept no wire; their timeouts are set from the client's.
	Requests []*requestv1.SubmitRequest
	// Choices is how many choices each turn asks for: choice c of turn t is
	// choice t*Choices+c of the answer.
	Choices int32
	// Options are for the encoding.
	Options wire.AnswerOptions
}

// AnswerSeveral submits all turns, a few at a time, and answers the exchange with
// what comes of them together: their choices as they come, one start, the sum of
// their usage, one end. The first turn that fails ends all. It returns when the
// answer is written.
func (s *Submitter) AnswerSeveral(several *Several) {
	x := several.Exchange
	m := &merged{dialect: &s.dialect, several: several, usage: make([]*conversationv1.Usage, len(several.Requests))}
	if several.Requests[0].GetTurn().GetStream() {
		m.stream = x.Stream(edge.StreamOptions{
			ContentType: s.dialect.ContentType, Pause: s.dialect.Pause, Ping: s.dialect.Ping, Throughout: s.dialect.Throughout,
		})
		defer m.stream.Close()
		m.encoder = s.dialect.Codec.NewStreamEncoder(several.Options)
	}
	group, ctx := errgroup.WithContext(x.Context())
	group.SetLimit(severalAtOnce)
	for i, request := range several.Requests {
		if timeout := x.Timeout(); timeout > 0 {
			request.Timeout = durationpb.New(timeout)
		}
		group.Go(func() error { return m.submit(ctx, s.caller, i, request) })
	}
	m.finish(group.Wait())
}

// merged is the answer that comes of several turns.
type merged struct {
	dialect *Dialect
	several *Several
	stream  *edge.Stream // nil where the client wants one body
	encoder wire.StreamEncoder

	mu        sync.Mutex
	headers   answerHeaders
	assembler wire.Assembler
	begun     bool
	usage     []*conversationv1.Usage // by turn
	broken    error                   // of writing
	buf       []byte
}

// submit runs one turn to its end.
func (m *merged) submit(ctx context.Context, caller requestv1.RequestServiceCaller, turn int, request *requestv1.SubmitRequest) error {
	one := &writer{dialect: m.dialect}
	ended := false
	err := caller.Submit(ctx, request, func(step *requestv1.SubmitResponse) error {
		if step.Chunk == nil || ended {
			return nil
		}
		events, err := one.typed(step.Chunk)
		if err != nil {
			return err
		}
		last := wire.Last(step.Chunk)
		ended = last != nil
		if failed := last.GetFailed(); failed != nil {
			return wire.Fault(failed)
		}
		return m.take(turn, events)
	})
	if err == nil && !ended {
		err = fault.Internal(errNoEnd)
	}
	return err
}

// take adds events of a turn to the answer. They are borrowed.
func (m *merged) take(turn int, events []*conversationv1.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*conversationv1.Event
	for _, event := range events {
		switch kind := event.GetKind().(type) {
		case *conversationv1.Event_Started:
			if !m.begun {
				m.begun = true
				m.header(func(h http.Header) { m.headers.started(h, kind.Started) })
				out = append(out, event)
			}
		case *conversationv1.Event_Usage:
			m.usage[turn] = proto.CloneOf(kind.Usage)
		case *conversationv1.Event_Finished:
		default:
			moved := proto.CloneOf(event)
			move(moved, int32(turn)*m.several.Choices)
			out = append(out, moved)
		}
	}
	return m.write(out)
}

// move makes an event one of a later choice.
func move(event *conversationv1.Event, by int32) {
	switch kind := event.GetKind().(type) {
	case *conversationv1.Event_Text:
		kind.Text.Choice += by
	case *conversationv1.Event_Reasoning:
		kind.Reasoning.Choice += by
	case *conversationv1.Event_ToolCall:
		kind.ToolCall.Choice += by
	case *conversationv1.Event_Refusal:
		kind.Refusal.Choice += by
	case *conversationv1.Event_ChoiceFinished:
		kind.ChoiceFinished.Choice += by
	}
}

func (m *merged) header(set func(http.Header)) {
	if m.stream != nil {
		m.stream.Header(set)
		return
	}
	set(m.several.Exchange.Header())
}

func (m *merged) write(events []*conversationv1.Event) (err error) {
	if m.stream == nil {
		return m.assembler.Add(events...)
	}
	if m.buf, err = m.encoder.Encode(m.buf[:0], events); err != nil || len(m.buf) == 0 {
		return err
	}
	if m.broken == nil {
		m.broken = m.stream.Send(m.buf)
	}
	return m.broken
}

// finish ends the answer when all turns have ended, or one of them failed.
func (m *merged) finish(err error) {
	x := m.several.Exchange
	if err == nil {
		err = m.write([]*conversationv1.Event{
			{Kind: &conversationv1.Event_Usage{Usage: total(m.usage)}},
			{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}},
		})
		if err == nil && m.stream == nil {
			var body []byte
			if body, err = m.dialect.Codec.EncodeAnswer(m.assembler.Answer(), m.several.Options); err == nil {
				m.broken = x.JSON(http.StatusOK, body)
			}
		}
	}
	switch {
	case m.broken != nil:
		x.SetFailure(m.broken)
	case err == nil:
	case m.stream == nil || !m.opened():
		x.Fail(x.Cause(err))
	default:
		err = x.Cause(err)
		x.SetFailure(err)
		_ = m.write([]*conversationv1.Event{{Kind: &conversationv1.Event_Failed{Failed: wire.Failure(err)}}})
	}
}

// opened ends the heartbeats and says whether headers are out.
func (m *merged) opened() bool {
	m.stream.Close()
	return m.stream.Opened()
}

// total adds up what turns used. It is as sure as its least sure part.
func total(usage []*conversationv1.Usage) *conversationv1.Usage {
	sum := &conversationv1.Usage{Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER}
	for _, u := range usage {
		if u.GetSource() != conversationv1.UsageSource_USAGE_SOURCE_PROVIDER {
			sum.Source = conversationv1.UsageSource_USAGE_SOURCE_ESTIMATED
		}
		sum.InputTokens += u.GetInputTokens()
		sum.OutputTokens += u.GetOutputTokens()
		sum.CachedInputTokens += u.GetCachedInputTokens()
		sum.CacheWriteTokens += u.GetCacheWriteTokens()
		sum.ReasoningTokens += u.GetReasoningTokens()
	}
	return sum
}
