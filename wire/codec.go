package wire

import (
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// Codec translates one dialect. A codec holds no state and may be used by any
// number of goroutines; encoders and decoders that it makes are for one answer
// and one goroutine each.
//
// Every error of a codec is a *fault.Fault that names the member in the
// dialect's own words: MALFORMED_BODY for a client's body, PROVIDER_PROTOCOL
// for a provider's.
type Codec interface {
	// Wire is the dialect.
	Wire() conversationv1.Wire

	// ScanTurn reads the head of a client's body without decoding the rest: a
	// turn with the raw half and the head filled. The body is checked to be
	// well-formed; it is kept, not copied. Members that the mesh acts on must
	// stand at most once; the dialect's own bounds of them are checked.
	ScanTurn(body []byte) (*conversationv1.Turn, error)

	// DecodeTurn decodes a client's whole body into the typed half; raw is left
	// unset. Members that no field holds go to extra_json in their order.
	DecodeTurn(body []byte) (*conversationv1.Turn, error)

	// EncodeTurn makes the body of a provider call. With a raw half of this
	// dialect it keeps the body but for the members that options and head
	// override; otherwise it encodes the typed half. dropped names members that
	// this dialect cannot carry, as the client's wire spelled them.
	EncodeTurn(turn *conversationv1.Turn, options TurnOptions) (body []byte, dropped []string, err error)

	// NewStreamDecoder decodes a provider's streamed answer.
	NewStreamDecoder() StreamDecoder

	// NewRawScanner watches a provider's streamed answer that is passed on as
	// it is.
	NewRawScanner(options ScanOptions) RawScanner

	// DecodeAnswer decodes a provider's whole answer into events: started,
	// deltas, choice_finished, usage, and last finished or failed.
	DecodeAnswer(body []byte) ([]*conversationv1.Event, error)

	// NewStreamEncoder encodes events for a client that streams.
	NewStreamEncoder(options AnswerOptions) StreamEncoder

	// EncodeAnswer encodes a whole answer for a client that does not stream.
	EncodeAnswer(answer *Answer, options AnswerOptions) ([]byte, error)

	// Form is the framing of streamed answers.
	Form() conversationv1.RawForm
}

// TurnOptions are what the caller of a provider decides.
type TurnOptions struct {
	// Model is the provider's name of the model. Always written.
	Model string
	// Stream asks for a streamed answer. Always written.
	Stream bool
	// WantUsage asks for the count of tokens in a streamed answer, where the
	// dialect gives it only when asked.
	WantUsage bool
	// AskedUsage is where a dialect that gives that count only when asked stores whether
	// the client did; nil for nowhere.
	AskedUsage *bool
	// DefaultMaxOutputTokens is sent where the turn has no limit and the dialect
	// demands one. 0 lets the codec choose 4096.
	DefaultMaxOutputTokens int64
	// Quirks are names of deviations that this provider needs; unknown ones are
	// ignored. Each codec documents its own.
	Quirks []string
	// Room is where the body may be written to, from its beginning; it is never
	// read. A body that does not fit, or that is there already, lies elsewhere.
	Room []byte
}

// StreamDecoder decodes one streamed answer.
type StreamDecoder interface {
	// Decode decodes whole events and appends what they say to dst. The first
	// thing it ever appends is started. An error event of the provider is
	// appended as failed; nothing may follow it. data is borrowed.
	Decode(dst []*conversationv1.Event, data []byte) ([]*conversationv1.Event, error)
	// End is called when the provider closed the stream in good order. It
	// appends what was held back and finished, where the answer is whole;
	// otherwise the error is STREAM_TRUNCATED. After failed it appends nothing.
	End(dst []*conversationv1.Event) ([]*conversationv1.Event, error)
}

// Lender is a StreamDecoder that can lend what it gives out.
type Lender interface {
	// LendEvents makes events of deltas, but not their strings, good until the next Decode,
	// until Release or for ever: for whoever hands them on at once and keeps none. It must be
	// called before Decode.
	LendEvents()
}

// ScanOptions says how a raw answer is passed on.
type ScanOptions struct {
	// DropUsage takes out the usage that was asked for by the mesh and not by
	// the client.
	DropUsage bool
}

// RawScanner finds in raw data the events that rooms act on, decoding as
// little as it can: started, usage, failed.
type RawScanner interface {
	// Scan looks through whole events. It returns what is to be passed on,
	// which is data itself or a part of it where nothing had to be taken out,
	// how many events that holds, and events with what was found appended.
	Scan(data []byte, events []*conversationv1.Event) (pass []byte, count int, found []*conversationv1.Event, err error)
	// End is like StreamDecoder.End, for finished.
	End(events []*conversationv1.Event) ([]*conversationv1.Event, error)
}

// AnswerOptions are what a face decides about an answer's outward form.
type AnswerOptions struct {
	// ID is the id that the client sees. Empty lets the codec take the response
	// id of started.
	ID string
	// Model is the model's name that the client sees. Empty lets the codec take
	// the name of started.
	Model string
	// Created is the time that the client sees. Zero lets the codec take the
	// time of started.
	Created time.Time
	// IncludeUsage says that the client asked for usage in a streamed answer.
	IncludeUsage bool
	// UsageBeside says that the client wants usage in a streamed answer beside the end of
	// the last choice, asked for or not (chat completions, as Mistral has it).
	UsageBeside bool
	// WholeCalls says that the client takes each call of a tool in one piece only (streamed
	// chat completions, as Mistral and xAI have them).
	WholeCalls bool
	// Reasoning says that the client reads thoughts in the member "reasoning" (chat
	// completions, as Groq, Together, Cerebras and OpenRouter have it).
	Reasoning bool
	// GroqUsage says that the client wants usage in a streamed answer in "x_groq", beside
	// the end of the last choice, asked for or not (chat completions).
	GroqUsage bool
	// OpenRouter says that the client wants each piece of a thought in "reasoning_details"
	// as well, and an error in mid-stream as a chunk (chat completions).
	OpenRouter bool
	// Echo is the text that a choice begins with, where the client wants its
	// prompt back and the dialect can (legacy completions). Nil means none.
	Echo func(choice int32) string
	// TextTools says whether a name is that of a tool which takes plain text, and which
	// the client wants to be called so. Nil means none.
	TextTools func(name string) bool
	// RequestID is the id of the client's request, for dialects whose errors name
	// it in mid-stream, too. Empty leaves it out.
	RequestID string
	// InputTokens is an estimate for dialects that must give the count of input
	// tokens before the answer. 0 where unknown.
	InputTokens int64
	// Now gives the time for dialects whose every line has one, and for
	// durations. Nil means time.Now.
	Now func() time.Time
}

// StreamEncoder encodes one streamed answer.
type StreamEncoder interface {
	// Encode appends the dialect's form of events to dst. Failed and finished
	// append the dialect's own ending. Events must obey the grammar.
	Encode(dst []byte, events []*conversationv1.Event) ([]byte, error)
}

// Answer is a whole answer.
type Answer struct {
	// Started is the first event. Never nil.
	Started *conversationv1.Started
	// Choices are the answers, by index.
	Choices []Choice
	// Usage is the count of tokens. May be nil.
	Usage *conversationv1.Usage
	// Failure is why the answer is not whole. Nil where it is.
	Failure *conversationv1.Failure
	// Finished says that a terminal event finished was seen.
	Finished bool
	// FinishedAt is when that was, in seconds since 1970; 0 where nobody said.
	FinishedAt int64
}

// Choice is one of the answers to a turn.
type Choice struct {
	// Index is the choice's number.
	Index int32
	// Message is what the model said.
	Message *conversationv1.Message
	// Logprobs are those of the message's text, where asked for.
	Logprobs []*conversationv1.TokenLogprob
	// RefusalLogprobs are those of the message's refusal, where asked for.
	RefusalLogprobs []*conversationv1.TokenLogprob
	// FinishReason is why it ended.
	FinishReason conversationv1.FinishReason
	// StopSequence is the stop text that was met, where known.
	StopSequence string
}

// KeptDecoder is a Codec whose events may lie in an answer instead of being
// copies of what stands there.
type KeptDecoder interface {
	// DecodeKept is DecodeAnswer for a body that nobody changes any more.
	DecodeKept(body []byte) ([]*conversationv1.Event, error)
}

// DecodeKept decodes an answer that nobody changes any more, as DecodeAnswer does.
func DecodeKept(codec Codec, body []byte) ([]*conversationv1.Event, error) {
	if d, ok := codec.(KeptDecoder); ok {
		return d.DecodeKept(body)
	}
	return codec.DecodeAnswer(body)
}

// MessageReader is a Codec that reads the messages of a turn without the rest.
type MessageReader interface {
	// ReadMessages are the messages that DecodeTurn makes of a client's body, which nobody
	// changes as long as they are used: long texts may lie in it. Of other members it
	// checks what ScanTurn does.
	ReadMessages(body []byte) ([]*conversationv1.Message, error)
}

// ReadMessages reads the messages of a client's body that nobody changes as long as they
// are used.
func ReadMessages(codec Codec, body []byte) ([]*conversationv1.Message, error) {
	if r, ok := codec.(MessageReader); ok {
		return r.ReadMessages(body)
	}
	turn, err := codec.DecodeTurn(body)
	return turn.GetMessages(), err
}
