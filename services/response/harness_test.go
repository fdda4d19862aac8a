package response

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/session/sessiontest"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// script is a model: it sends chunks of events.
type script func(ctx context.Context, req *gptv1.GenerateRequest, send func(*conversationv1.Chunk) error) error

// model is the gpt room of these tests.
type model struct {
	gptv1.UnimplementedGPTServiceServer
	calls  atomic.Int32
	script atomic.Pointer[script]
	last   atomic.Pointer[gptv1.GenerateRequest]
	ledger atomic.Pointer[func(requestID string) ([]*gptv1.Attempt, error)] // what ListAttempts shows; nil for nothing
}

func (m *model) ListAttempts(_ context.Context, req *gptv1.ListAttemptsRequest) (*gptv1.ListAttemptsResponse, error) {
	list := m.ledger.Load()
	if list == nil {
		return &gptv1.ListAttemptsResponse{}, nil
	}
	rows, err := (*list)(req.GetRequestId())
	return &gptv1.ListAttemptsResponse{Attempts: rows}, err
}

func (m *model) settles(list func(requestID string) ([]*gptv1.Attempt, error)) { m.ledger.Store(&list) }

func (m *model) Generate(req *gptv1.GenerateRequest, stream grpc.ServerStreamingServer[gptv1.GenerateResponse]) error {
	m.calls.Add(1)
	m.last.Store(req)
	return (*m.script.Load())(stream.Context(), req, func(c *conversationv1.Chunk) error {
		return stream.Send(&gptv1.GenerateResponse{Chunk: c})
	})
}

func (m *model) plays(s script) { m.script.Store(&s) }

// says is a model that sends these chunks.
func says(chunks ...*conversationv1.Chunk) script {
	return func(_ context.Context, _ *gptv1.GenerateRequest, send func(*conversationv1.Chunk) error) error {
		for _, c := range chunks {
			if err := send(c); err != nil {
				return err
			}
		}
		return nil
	}
}

func typed(events ...*conversationv1.Event) *conversationv1.Chunk {
	return &conversationv1.Chunk{Events: events}
}

func raw(data string, events ...*conversationv1.Event) *conversationv1.Chunk {
	return &conversationv1.Chunk{Events: events, Raw: &conversationv1.RawChunk{
		Wire: conversationv1.Wire_WIRE_OPENAI_CHAT, Form: conversationv1.RawForm_RAW_FORM_SSE, Data: []byte(data), EventCount: 1,
	}}
}

func started() *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{Model: "m-1", Provider: "echo", AttemptId: "att_1"}}}
}

func text(s string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Text: s}}}
}

func thought(s string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Reasoning{Reasoning: &conversationv1.ReasoningDelta{Text: s}}}
}

func toolCall(id string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ToolCall{ToolCall: &conversationv1.ToolCallDelta{Id: id, Name: "look", ArgumentsJson: "{}"}}}
}

func choiceEnd(reason conversationv1.FinishReason) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{Reason: reason}}}
}

func stopped() *conversationv1.Event {
	return choiceEnd(conversationv1.FinishReason_FINISH_REASON_STOP)
}

func usage(out int64) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Usage{Usage: &conversationv1.Usage{InputTokens: 7, OutputTokens: out, Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER}}}
}

func finishedEvent() *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}}
}

func failedEvent(err error) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: wire.Failure(err)}}
}

// hello is a whole streamed answer.
func hello() []*conversationv1.Chunk {
	return []*conversationv1.Chunk{typed(started(), text("Hel")), typed(text("lo")), typed(stopped(), usage(2), finishedEvent())}
}

// lineCodec is a wire whose raw data is lines of text; "." ends the choice.
type lineCodec struct{ wire.Codec }

func (lineCodec) NewStreamDecoder() wire.StreamDecoder { return &lineDecoder{} }

type lineDecoder struct{ begun bool }

func (d *lineDecoder) Decode(dst []*conversationv1.Event, data []byte) ([]*conversationv1.Event, error) {
	if !d.begun {
		d.begun = true
		dst = append(dst, &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{Model: "decoded"}}})
	}
	for line := range strings.Lines(string(data)) {
		switch line = strings.TrimSuffix(line, "\n"); line {
		case "garbage":
			return dst, brokenProtocol("garbage")
		case ".":
			dst = append(dst, stopped())
		default:
			dst = append(dst, text(line))
		}
	}
	return dst, nil
}

func (d *lineDecoder) End(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	return append(dst, finishedEvent()), nil
}

// world is a response room with what it needs.
type world struct {
	*Service
	t       testing.TB
	caller  responsev1.ResponseServiceCaller
	model   *model
	session *sessiontest.Fake
	path    string
	close   func()
}

func configure(t testing.TB, path string, session *sessiontest.Fake, change func(*Config)) *world {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Synchronous: sqlite.Off})
	if err != nil {
		t.Fatal(err)
	}
	forSQLite, _ := Migrations()
	if _, err := db.Migrate(t.Context(), forSQLite); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, model: &model{}, session: session, path: path}
	w.model.plays(says(hello()...))
	cfg := DefaultConfig()
	cfg.RetryInterval = 5 * time.Millisecond
	cfg.WatchPollInterval = 2 * time.Millisecond
	if change != nil {
		change(&cfg)
	}
	if w.Service, err = New(cfg, Deps{
		SQLite: db, GPT: gptv1.LocalGPTService(w.model, nil), Session: sessionv1.LocalSessionService(session, nil),
		Codec: func(at conversationv1.Wire) wire.Codec {
			if at == conversationv1.Wire_WIRE_OPENAI_CHAT {
				return lineCodec{}
			}
			return nil
		},
	}); err != nil {
		t.Fatal(err)
	}
	w.caller = responsev1.LocalResponseService(w.Service, nil)
	w.close = sync.OnceFunc(func() {
		if err := errors.Join(w.Service.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(w.close)
	return w
}

func open(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	var f func(*Config)
	if len(change) > 0 {
		f = change[0]
	}
	w := configure(t, filepath.Join(t.TempDir(), "response.db"), sessiontest.New(), f)
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func user(s string) *conversationv1.Message {
	return &conversationv1.Message{Role: conversationv1.Role_ROLE_USER, Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: s}}}}
}

func turn() *conversationv1.Turn {
	return &conversationv1.Turn{Model: "m", Stream: true, Messages: []*conversationv1.Message{user("hi")}}
}

// newSession makes a session.
func (w *world) newSession(id string) {
	w.t.Helper()
	if _, err := w.session.CreateSession(w.t.Context(), &sessionv1.CreateSessionRequest{SessionId: id}); err != nil {
		w.t.Fatal(err)
	}
}

// generate collects an answer.
func (w *world) generate(ctx context.Context, req *responsev1.GenerateRequest, each ...func(*conversationv1.Chunk) error) ([]*conversationv1.Chunk, error) {
	if req.Turn == nil {
		req.Turn = turn()
	}
	var got []*conversationv1.Chunk
	err := w.caller.Generate(ctx, req, func(m *responsev1.GenerateResponse) error {
		got = append(got, proto.CloneOf(m.GetChunk()))
		for _, f := range each {
			if err := f(m.GetChunk()); err != nil {
				return err
			}
		}
		return nil
	})
	return got, err
}

func (w *world) get(id string) *responsev1.Response {
	w.t.Helper()
	resp, err := w.caller.GetResponse(w.t.Context(), &responsev1.GetResponseRequest{ResponseId: id})
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.GetResponse()
}

func (w *world) watch(ctx context.Context, id string, after int64, accept conversationv1.Wire) ([]*conversationv1.Chunk, error) {
	var got []*conversationv1.Chunk
	err := w.caller.WatchResponse(ctx, &responsev1.WatchResponseRequest{ResponseId: id, AfterSequence: after, AcceptWire: accept},
		func(m *responsev1.WatchResponseResponse) error {
			got = append(got, proto.CloneOf(m.GetChunk()))
			return nil
		})
	return got, err
}

// show writes what a client would see of an answer, one word a chunk.
func show(chunks []*conversationv1.Chunk) string {
	var out []string
	for _, c := range chunks {
		line := fmt.Sprint(c.GetSequence(), ":")
		for _, event := range c.GetEvents() {
			switch kind := event.GetKind().(type) {
			case *conversationv1.Event_Started:
				line += "^"
			case *conversationv1.Event_Text:
				line += kind.Text.GetText()
			case *conversationv1.Event_Reasoning:
				line += "(" + kind.Reasoning.GetText() + ")"
			case *conversationv1.Event_ToolCall:
				line += "[" + kind.ToolCall.GetName() + "]"
			case *conversationv1.Event_ChoiceFinished:
				line += "."
			case *conversationv1.Event_Usage:
				line += "#"
			case *conversationv1.Event_Finished:
				line += "$"
			case *conversationv1.Event_Failed:
				line += "!" + fault.ReasonName(kind.Failed.GetReason())
			}
		}
		if c.GetRaw() != nil {
			line += "{" + strings.TrimSpace(string(c.GetRaw().GetData())) + "}"
		}
		out = append(out, line)
	}
	return strings.Join(out, " ")
}

func equal(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return fault.ReasonName(fault.From(err).Reason)
}

// eventually waits for what happens in the background.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// story is what a session holds, one word a message.
func (w *world) story(id string) string {
	var out []string
	for _, m := range w.session.Messages(id) {
		for _, p := range m.GetParts() {
			out = append(out, strings.TrimPrefix(m.GetRole().String(), "ROLE_")+":"+p.GetText())
		}
	}
	return strings.Join(out, " ")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newSessions() *sessiontest.Fake { return sessiontest.New() }
