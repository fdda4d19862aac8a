package request

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"github.com/gptmesh/gptmesh/services/response/responsetest"
	"github.com/gptmesh/gptmesh/services/session/sessiontest"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// roleCodec is a wire whose body is lines "role:text".
type roleCodec struct{ wire.Codec }

func (roleCodec) DecodeTurn(body []byte) (*conversationv1.Turn, error) {
	out := &conversationv1.Turn{}
	for line := range strings.Lines(string(body)) {
		role, text, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			return nil, errors.New("no role")
		}
		out.Messages = append(out.Messages, message(role, text))
	}
	return out, nil
}

func codec(w conversationv1.Wire) wire.Codec {
	if w == conversationv1.Wire_WIRE_OPENAI_CHAT {
		return roleCodec{}
	}
	return nil
}

func message(role, text string) *conversationv1.Message {
	return &conversationv1.Message{
		Role:  conversationv1.Role(conversationv1.Role_value["ROLE_"+strings.ToUpper(role)]),
		Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: text}}},
	}
}

// messages reads "user:hi assistant:hello".
func messages(story string) []*conversationv1.Message {
	var out []*conversationv1.Message
	for _, word := range strings.Fields(story) {
		role, text, _ := strings.Cut(word, ":")
		out = append(out, message(role, text))
	}
	return out
}

// tell is the reverse of messages.
func tell(list []*conversationv1.Message) string {
	var out []string
	for _, m := range list {
		text := ""
		for _, part := range m.GetParts() {
			text += part.GetText()
		}
		out = append(out, strings.ToLower(strings.TrimPrefix(m.GetRole().String(), "ROLE_"))+":"+text)
	}
	return strings.Join(out, " ")
}

type world struct {
	*Service
	t        testing.TB
	caller   requestv1.RequestServiceCaller
	response *responsetest.Fake
	session  *sessiontest.Fake
	path     string
	close    func()
}

type options struct {
	config     func(*Config)
	classifier classifierv1.ClassifierServiceCaller
	gpt        gptv1.GPTServiceCaller
	path       string
	url        string // of a PostgreSQL database, in the place of path
	clock      func() time.Time
	response   *responsetest.Fake
	session    *sessiontest.Fake
	store      func(store.Store) store.Store
	caller     func(responsev1.ResponseServiceCaller) responsev1.ResponseServiceCaller
	apart      bool
	near       bool // the classifier
}

func open(t testing.TB, o options) *world {
	t.Helper()
	w := &world{t: t, response: o.response, session: o.session, path: o.path}
	if w.path == "" && o.url == "" {
		w.path = filepath.Join(t.TempDir(), "request.db")
	}
	if w.response == nil {
		w.response = responsetest.New()
	}
	if w.session == nil {
		w.session = sessiontest.New()
	}
	forSQLite, forPostgres := Migrations()
	var embedded *sqlite.DB
	var shared *postgres.DB
	var err error
	shut := func() error { shared.Close(); return nil }
	if o.url != "" {
		if shared, err = postgres.Open(t.Context(), postgres.Config{URL: o.url, Schema: "request"}); err == nil {
			_, err = shared.Migrate(t.Context(), forPostgres)
		}
	} else if embedded, err = sqlite.Open(t.Context(), sqlite.Config{Path: w.path, Synchronous: sqlite.Off}); err == nil {
		shut = embedded.Close
		_, err = embedded.Migrate(t.Context(), forSQLite)
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.PollInterval = 2 * time.Millisecond
	cfg.ClassifierTimeout = time.Minute // longer than a process stands still
	if o.url != "" {
		cfg.HeartbeatInterval, cfg.DeadAfter = 100*time.Millisecond, time.Minute
	}
	if o.config != nil {
		o.config(&cfg)
	}
	responses := responsev1.LocalResponseService(w.response, nil)
	if o.caller != nil {
		responses = o.caller(responses)
	}
	if w.Service, err = New(cfg, Deps{
		SQLite: embedded, Postgres: shared, Clock: o.clock, Response: responses, ResponseApart: o.apart, Session: sessionv1.LocalSessionService(w.session, nil),
		Classifier: o.classifier, ClassifierHere: o.near, GPT: o.gpt, Codec: codec, Seed: 1,
	}); err != nil {
		t.Fatal(err)
	}
	if o.store != nil {
		w.Service.store = o.store(w.Service.store) // before Start: nothing uses it yet
	}
	w.caller = requestv1.LocalRequestService(w.Service, nil)
	w.close = sync.OnceFunc(func() {
		if err := errors.Join(w.Service.Close(), shut()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(w.close)
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) newSession(id, story string) {
	w.t.Helper()
	if _, err := w.session.CreateSession(w.t.Context(), &sessionv1.CreateSessionRequest{SessionId: id, Messages: messages(story)}); err != nil {
		w.t.Fatal(err)
	}
}

func ask(text string) *requestv1.SubmitRequest {
	return &requestv1.SubmitRequest{Turn: &conversationv1.Turn{Model: "m", Stream: true, Messages: []*conversationv1.Message{message("user", text)}}}
}

// got is what a client received.
type got struct {
	requests []*requestv1.Request
	chunks   []*conversationv1.Chunk
	err      error
}

func (w *world) submit(ctx context.Context, req *requestv1.SubmitRequest, each ...func(*requestv1.SubmitResponse) error) got {
	var g got
	g.err = w.caller.Submit(ctx, req, func(m *requestv1.SubmitResponse) error {
		if m.GetRequest() != nil {
			g.requests = append(g.requests, proto.CloneOf(m.GetRequest()))
		}
		g.chunks = append(g.chunks, proto.CloneOf(m.GetChunk()))
		for _, f := range each {
			if err := f(m); err != nil {
				return err
			}
		}
		return nil
	})
	return g
}

// String is what a client saw, one word a chunk.
func (g got) String() string {
	var out []string
	for _, c := range g.chunks {
		line := fmt.Sprint(c.GetSequence(), ":")
		for _, event := range c.GetEvents() {
			switch kind := event.GetKind().(type) {
			case *conversationv1.Event_Started:
				line += "^"
			case *conversationv1.Event_Text:
				line += kind.Text.GetText()
			case *conversationv1.Event_Finished:
				line += "$"
			case *conversationv1.Event_Failed:
				line += "!" + fault.ReasonName(kind.Failed.GetReason())
			}
		}
		out = append(out, line)
	}
	if g.err != nil {
		out = append(out, "error:"+reason(g.err))
	}
	return strings.Join(out, " ")
}

const hello = "1:^Hel 2:lo 3:$"

func (w *world) get(id string) *requestv1.Request {
	w.t.Helper()
	resp, err := w.caller.GetRequest(w.t.Context(), &requestv1.GetRequestRequest{RequestId: id})
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.GetRequest()
}

// only is the newest request.
func (w *world) newest() *requestv1.Request {
	w.t.Helper()
	resp, err := w.caller.ListRequests(w.t.Context(), &requestv1.ListRequestsRequest{PageSize: 1})
	if err != nil || len(resp.GetRequests()) == 0 {
		w.t.Fatal("no request", err)
	}
	return resp.GetRequests()[0]
}

func equal(t testing.TB, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return fault.ReasonName(fault.From(err).Reason)
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		<-time.After(2 * time.Millisecond)
	}
}
